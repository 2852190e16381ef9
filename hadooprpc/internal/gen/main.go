// Command gen writes the Go protobuf packages under hadooprpc/proto from the descriptors inside Hadoop's jars.
//
// It is a development tool: its output is committed, so nothing but a change of this list or of Hadoop's
// version makes it necessary. It needs Java, a folder with Hadoop's jars, and nothing else:
//
//	go run ./hadooprpc/internal/gen -lib ~/.cache/hadoop-local/lib/hadoop
//
// Three things happen on the way from descriptor to Go. Everything that no listed method or message needs is
// dropped, since each generated message costs start-up time and memory in every process. Services are dropped
// as well: Hadoop's RPC sends method names as strings. File paths and packages get a prefix of our own: the
// protobuf registry refuses two files or messages of one name, and the HDFS client links Hadoop's names too.
// Neither names nor unreferenced messages are part of the wire format.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

const modulePath = "goflink"

// goPackages maps a Hadoop protobuf package to the Go package that holds it.
var goPackages = map[string]string{
	"hadoop.common": "hadoopproto",
	"hadoop.yarn":   "yarnproto",
	"hadoop.hdfs":   "hdfsproto",
}

func main() {
	lib := flag.String("lib", "", "folder of Hadoop's jars")
	flag.Parse()
	if err := run(*lib); err != nil {
		log.Fatal(err)
	}
}

func run(lib string) error {
	if lib == "" {
		return fmt.Errorf("-lib names no folder: give the folder that holds Hadoop's jars")
	}
	set, err := dump(lib)
	if err != nil {
		return err
	}
	files, err := prune(set.File)
	if err != nil {
		return err
	}
	for _, f := range files {
		rename(f)
	}
	return generate(files)
}

// dump runs DumpProtos.java over the jars.
func dump(lib string) (*descriptorpb.FileDescriptorSet, error) {
	out := filepath.Join(os.TempDir(), fmt.Sprintf("hadoop-protos-%d.bin", os.Getpid()))
	defer os.Remove(out)
	args := append([]string{"-cp", filepath.Join(lib, "*"), "hadooprpc/internal/gen/DumpProtos.java", out}, outerClasses...)
	cmd := exec.Command("java", args...)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("dump the descriptors with java: %w", err)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		return nil, fmt.Errorf("read the dumped descriptors: %w", err)
	}
	set := &descriptorpb.FileDescriptorSet{}
	if err := proto.Unmarshal(b, set); err != nil {
		return nil, fmt.Errorf("decode the dumped descriptors: %w", err)
	}
	return set, nil
}

// generate feeds the files to protoc-gen-go as protoc would and writes what it answers.
func generate(files []*descriptorpb.FileDescriptorProto) error {
	req := &pluginpb.CodeGeneratorRequest{ProtoFile: files}
	params := []string{"module=" + modulePath}
	for _, f := range files {
		pkg := goPackages[strings.TrimPrefix(f.GetPackage(), prefix)]
		params = append(params, fmt.Sprintf("M%s=%s/hadooprpc/proto/%s;%s", f.GetName(), modulePath, pkg, pkg))
		req.FileToGenerate = append(req.FileToGenerate, f.GetName())
	}
	req.Parameter = proto.String(strings.Join(params, ","))
	in, err := proto.Marshal(req)
	if err != nil {
		return fmt.Errorf("encode the request for protoc-gen-go: %w", err)
	}
	cmd := exec.Command("go", "tool", "protoc-gen-go")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("run protoc-gen-go: %w", err)
	}
	resp := &pluginpb.CodeGeneratorResponse{}
	if err := proto.Unmarshal(out, resp); err != nil {
		return fmt.Errorf("decode the answer of protoc-gen-go: %w", err)
	}
	if resp.Error != nil {
		return fmt.Errorf("protoc-gen-go: %s", resp.GetError())
	}
	return write(resp.File)
}

func write(files []*pluginpb.CodeGeneratorResponse_File) error {
	for _, f := range files {
		if err := os.MkdirAll(filepath.Dir(f.GetName()), 0o755); err != nil {
			return fmt.Errorf("make the folder of %s: %w", f.GetName(), err)
		}
		if err := os.WriteFile(f.GetName(), []byte(f.GetContent()), 0o644); err != nil {
			return fmt.Errorf("write %s: %w", f.GetName(), err)
		}
		fmt.Println(f.GetName(), len(f.GetContent()))
	}
	return nil
}
