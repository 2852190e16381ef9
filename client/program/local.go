package program

import (
	"fmt"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"

	"goflink/conf"
	"goflink/control"
)

// RunLocal replaces this process by the job binary, which runs the job in an
// embedded cluster. The configuration goes through a descriptor. It returns
// only when that fails.
func RunLocal(f *File, args []string, entry string, c *conf.Config) error {
	data, err := proto.Marshal(&control.Bootstrap{Protocol: control.ProtocolVersion, Config: c.Map(), Entry: entry})
	if err != nil {
		return fmt.Errorf("starting %s: %w", f.Path, err)
	}
	fd, err := memFile(data)
	if err != nil {
		return fmt.Errorf("starting %s: %w", f.Path, err)
	}
	env := append(Environ(os.Environ()), control.EnvBootstrapFD+"="+strconv.Itoa(fd))
	err = syscall.Exec(f.Path, append([]string{f.Path}, args...), env)
	return fmt.Errorf("starting %s: %w", f.Path, err)
}

// memFile makes an anonymous file with data, positioned at its begin, that is
// inherited. Unlike a pipe it takes any amount without a reader.
func memFile(data []byte) (int, error) {
	fd, err := unix.MemfdCreate("goflink-bootstrap", 0)
	if err != nil {
		return 0, err
	}
	for len(data) > 0 {
		n, err := unix.Write(fd, data)
		if err != nil {
			unix.Close(fd)
			return 0, err
		}
		data = data[n:]
	}
	if _, err := unix.Seek(fd, 0, 0); err != nil {
		unix.Close(fd)
		return 0, err
	}
	return fd, nil
}
