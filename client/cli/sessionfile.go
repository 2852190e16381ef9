package cli

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"goflink/conf"
)

// Keys of the properties file in which yarn-session.sh notes its session, and
// what separates the dynamic properties in it; Flink's own.
const (
	sessionIDKey         = "applicationID"
	sessionPropertiesKey = "dynamicPropertiesString"
	propertySeparator    = "@@"
	maxSessionFile       = 1 << 20
)

// sessionFile is the path of the note.
func sessionFile(c *conf.Config, e *Env) string {
	dir := conf.YarnPropertiesFileLocation.Get(c)
	if dir == "" {
		dir = "/tmp" // where Flink's is, whatever TMPDIR says: tools look for it there
	}
	return filepath.Join(dir, ".yarn-properties-"+e.User)
}

// readSessionFile returns the noted session as configuration. An absent file
// is os.ErrNotExist. A file of another user is refused: anybody can write to
// the folder it lies in.
func readSessionFile(path string) (*conf.Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() {
		return nil, fmt.Errorf("the Yarn properties file %s belongs to another user: name the session with -Dyarn.application.id=, or set yarn.properties-file.location to a folder of your own", path)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxSessionFile))
	if err != nil {
		return nil, fmt.Errorf("reading the Yarn properties file %s: %w", path, err)
	}
	props := parseProperties(data)
	id := props[sessionIDKey]
	if id == "" {
		return nil, failf("Yarn properties file found but doesn't contain a Yarn application id. Please delete the file at %s", path)
	}
	out := conf.New()
	for _, kv := range strings.Split(props[sessionPropertiesKey], propertySeparator) {
		if k, v, ok := strings.Cut(kv, "="); ok && k != "" {
			out.Set(k, v)
		}
	}
	conf.YarnApplicationID.Set(out, id)
	return out, nil
}

// writeSessionFile notes a session and the properties it was started with.
func writeSessionFile(path, id string, properties []string, now time.Time) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "#Generated YARN properties file\n#%s\n", now.Format("Mon Jan 02 15:04:05 MST 2006"))
	fmt.Fprintf(&b, "%s=%s\n", sessionIDKey, escapeProperty(id))
	fmt.Fprintf(&b, "%s=%s\n", sessionPropertiesKey, escapeProperty(strings.Join(properties, propertySeparator)))
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("writing the Yarn properties file %s: %w", path, err)
	}
	_, err = tmp.Write(b.Bytes())
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		_ = os.Remove(tmp.Name()) // the error above is what matters
		return fmt.Errorf("writing the Yarn properties file %s: %w", path, err)
	}
	return nil
}

// removeSessionFile removes the note if it is of this session.
func removeSessionFile(path, id string) (bool, error) {
	c, err := readSessionFile(path)
	if err != nil || conf.YarnApplicationID.Get(c) != id {
		return false, nil
	}
	return true, os.Remove(path)
}

// parseProperties reads Java's properties, as far as such a file has them: one
// a line, comments with # or !, a backslash before special characters.
func parseProperties(data []byte) map[string]string {
	out := map[string]string{}
	sc := bufio.NewScanner(bytes.NewReader(data))
	sc.Buffer(nil, maxSessionFile)
	for sc.Scan() {
		l := strings.TrimSpace(sc.Text())
		if l == "" || l[0] == '#' || l[0] == '!' {
			continue
		}
		if i := strings.IndexAny(l, "=:"); i > 0 {
			out[strings.TrimSpace(l[:i])] = unescapeProperty(strings.TrimSpace(l[i+1:]))
		}
	}
	return out
}

func escapeProperty(s string) string {
	return strings.NewReplacer(`\`, `\\`, "=", `\=`, ":", `\:`, "#", `\#`, "!", `\!`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(s)
}

func unescapeProperty(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 't':
			b.WriteByte('\t')
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}
