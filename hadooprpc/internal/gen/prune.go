package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
)

// prefix sets our protobuf packages apart from Hadoop's own in the registry.
const prefix = "goflink."

// index knows every top-level type of the dumped files by its full name (with a leading dot).
type index struct {
	messages map[string]*descriptorpb.DescriptorProto
	enums    map[string]bool
	methods  map[string]*descriptorpb.MethodDescriptorProto // ".pkg.Service/method"
	file     map[string]string                              // top-level type -> file
}

func newIndex(files []*descriptorpb.FileDescriptorProto) *index {
	x := &index{
		messages: map[string]*descriptorpb.DescriptorProto{}, enums: map[string]bool{},
		methods: map[string]*descriptorpb.MethodDescriptorProto{}, file: map[string]string{},
	}
	for _, f := range files {
		pkg := "." + f.GetPackage() + "."
		for _, m := range f.MessageType {
			x.messages[pkg+m.GetName()], x.file[pkg+m.GetName()] = m, f.GetName()
		}
		for _, e := range f.EnumType {
			x.enums[pkg+e.GetName()], x.file[pkg+e.GetName()] = true, f.GetName()
		}
		for _, s := range f.Service {
			for _, m := range s.Method {
				x.methods[pkg+s.GetName()+"/"+m.GetName()] = m
			}
		}
	}
	return x
}

// top returns the top-level type that holds the named one, which may be nested in it.
func (x *index) top(name string) (string, error) {
	for n := name; n != ""; n = n[:max(strings.LastIndex(n, "."), 0)] {
		if _, ok := x.file[n]; ok {
			return n, nil
		}
	}
	return "", fmt.Errorf("no type %s in the descriptors", name)
}

// reach adds name and all its fields' types to seen.
func (x *index) reach(name string, seen map[string]bool) error {
	t, err := x.top(name)
	if err != nil {
		return err
	}
	if seen[t] {
		return nil
	}
	seen[t] = true
	if x.enums[t] {
		return nil
	}
	return x.reachFields(x.messages[t], seen)
}

func (x *index) reachFields(m *descriptorpb.DescriptorProto, seen map[string]bool) error {
	for _, f := range m.Field {
		if f.TypeName == nil {
			continue
		}
		if err := x.reach(f.GetTypeName(), seen); err != nil {
			return fmt.Errorf("%s.%s: %w", m.GetName(), f.GetName(), err)
		}
	}
	for _, n := range m.NestedType {
		if err := x.reachFields(n, seen); err != nil {
			return err
		}
	}
	return nil
}

// roots lists the types named in roots.go.
func (x *index) roots() ([]string, error) {
	out := append([]string{}, rootMessages...)
	for service, methods := range rootMethods {
		for _, name := range methods {
			m := x.methods[service+"/"+name]
			if m == nil {
				return nil, fmt.Errorf("service %s has no method %s", service, name)
			}
			out = append(out, m.GetInputType(), m.GetOutputType())
		}
	}
	return out, nil
}

// prune keeps what the roots reach, and returns the files that still hold something.
func prune(files []*descriptorpb.FileDescriptorProto) ([]*descriptorpb.FileDescriptorProto, error) {
	x := newIndex(files)
	roots, err := x.roots()
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, r := range roots {
		if err := x.reach(r, seen); err != nil {
			return nil, err
		}
	}
	var kept []*descriptorpb.FileDescriptorProto
	for _, f := range files {
		pruneFile(f, seen)
		if len(f.MessageType)+len(f.EnumType) > 0 {
			kept = append(kept, f)
		}
	}
	for _, f := range kept {
		pruneDependencies(f, x)
	}
	return kept, nil
}

func pruneFile(f *descriptorpb.FileDescriptorProto, seen map[string]bool) {
	pkg := "." + f.GetPackage() + "."
	f.Service, f.Options = nil, nil
	f.MessageType = keep(f.MessageType, func(m *descriptorpb.DescriptorProto) bool { return seen[pkg+m.GetName()] })
	f.EnumType = keep(f.EnumType, func(e *descriptorpb.EnumDescriptorProto) bool { return seen[pkg+e.GetName()] })
}

func keep[T any](in []T, want func(T) bool) []T {
	var out []T
	for _, v := range in {
		if want(v) {
			out = append(out, v)
		}
	}
	return out
}

// pruneDependencies lists exactly the files whose types f uses. Public imports are resolved by that too.
func pruneDependencies(f *descriptorpb.FileDescriptorProto, x *index) {
	used := map[string]bool{}
	for _, m := range f.MessageType {
		uses(m, x, used)
	}
	delete(used, f.GetName())
	f.PublicDependency, f.WeakDependency, f.Dependency = nil, nil, nil
	f.Dependency = sortedKeys(used)
}

func uses(m *descriptorpb.DescriptorProto, x *index, used map[string]bool) {
	for _, fd := range m.Field {
		if t, err := x.top(fd.GetTypeName()); err == nil {
			used[x.file[t]] = true
		}
	}
	for _, n := range m.NestedType {
		uses(n, x, used)
	}
}

// rename puts the file, its package and all its references under our prefix.
func rename(f *descriptorpb.FileDescriptorProto) {
	f.Name = proto.String("goflink/" + f.GetName())
	f.Package = proto.String(prefix + f.GetPackage())
	for i, d := range f.Dependency {
		f.Dependency[i] = "goflink/" + d
	}
	for _, m := range f.MessageType {
		renameMessage(m)
	}
}

func renameMessage(m *descriptorpb.DescriptorProto) {
	for _, f := range m.Field {
		if f.TypeName != nil {
			f.TypeName = proto.String("." + prefix + strings.TrimPrefix(f.GetTypeName(), "."))
		}
	}
	for _, n := range m.NestedType {
		renameMessage(n)
	}
}

func sortedKeys(m map[string]bool) []string {
	return slices.Sorted(maps.Keys(m))
}
