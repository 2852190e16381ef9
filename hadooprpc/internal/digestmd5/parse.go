package digestmd5

import (
	"errors"
	"fmt"
	"strings"
)

// parse splits a challenge or response into its directives. A directive named twice is an error, since the two
// sides could read different ones.
func parse(b []byte) (map[string]string, error) {
	if len(b) > maxMessage {
		return nil, fmt.Errorf("digest-md5: message of %d bytes, at most %d are accepted", len(b), maxMessage)
	}
	kv := map[string]string{}
	s := strings.TrimLeft(string(b), " ,\t\r\n")
	for s != "" {
		name, rest, ok := strings.Cut(s, "=")
		if !ok {
			return nil, errors.New("digest-md5: directive without a value")
		}
		value, after, err := parseValue(rest)
		if err != nil {
			return nil, err
		}
		name = strings.ToLower(strings.TrimSpace(name))
		if _, dup := kv[name]; dup || len(kv) == maxDirectives {
			return nil, errors.New("digest-md5: repeated directive, or too many")
		}
		kv[name] = value
		s = strings.TrimLeft(after, " ,\t\r\n")
	}
	return kv, nil
}

// parseValue reads a token or a quoted string, and returns what follows it.
func parseValue(s string) (value, rest string, err error) {
	s = strings.TrimLeft(s, " \t")
	if !strings.HasPrefix(s, `"`) {
		end := strings.IndexByte(s, ',')
		if end < 0 {
			end = len(s)
		}
		return strings.TrimSpace(s[:end]), s[end:], nil
	}
	var out strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return out.String(), s[i+1:], nil
		case c == '\\' && i+1 < len(s):
			i++
			out.WriteByte(s[i])
		default:
			out.WriteByte(c)
		}
	}
	return "", "", errors.New("digest-md5: quoted string without an end")
}

// escape quotes what may not stand in a quoted string by itself.
func escape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s)
}
