package hadooprpc

import (
	"bufio"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Bounds on configuration files: a site file of a large cluster has some hundred kilobytes.
const (
	maxConfFile    = 16 << 20
	maxConfInclude = 10 // nesting of xi:include
)

// xmlProperty is one <property>. Hadoop also accepts the values as attributes.
type xmlProperty struct {
	Name      string `xml:"name"`
	Value     string `xml:"value"`
	Final     string `xml:"final"`
	NameAttr  string `xml:"name,attr"`
	ValueAttr string `xml:"value,attr"`
	FinalAttr string `xml:"final,attr"`
}

// merge reads a site file into c.
func (c *Conf) merge(path string) error {
	finals := map[string]bool{}
	if err := c.readFile(path, 0, finals); err != nil {
		return err
	}
	// A final property binds later files, not the rest of its own.
	for k := range finals {
		c.final[k] = true
	}
	return nil
}

func (c *Conf) readFile(path string, depth int, finals map[string]bool) error {
	if depth == maxConfInclude {
		return fmt.Errorf("read %s: xi:include is nested more than %d deep", path, maxConfInclude)
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read the Hadoop configuration: %w", err)
	}
	defer f.Close()
	if err := c.readXML(io.LimitReader(f, maxConfFile), path, depth, finals); err != nil {
		return fmt.Errorf("read the Hadoop configuration %s: %w", path, err)
	}
	return nil
}

func (c *Conf) readXML(r io.Reader, path string, depth int, finals map[string]bool) error {
	d := xml.NewDecoder(bufio.NewReader(r))
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("malformed XML: %w", err)
		}
		start, ok := tok.(xml.StartElement)
		if !ok {
			continue
		}
		switch start.Name.Local {
		case "property":
			var p xmlProperty
			if err := d.DecodeElement(&p, &start); err != nil {
				return fmt.Errorf("malformed property: %w", err)
			}
			c.apply(p, finals)
		case "include":
			if err := c.include(d, start, path, depth, finals); err != nil {
				return err
			}
		}
	}
}

func (c *Conf) apply(p xmlProperty, finals map[string]bool) {
	name := strings.TrimSpace(first(p.Name, p.NameAttr))
	if name == "" || c.final[name] {
		return
	}
	c.props[name] = first(p.Value, p.ValueAttr)
	if strings.TrimSpace(first(p.Final, p.FinalAttr)) == "true" {
		finals[name] = true
	}
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// include follows an xi:include of a local file; its fallback holds when the file is missing.
func (c *Conf) include(d *xml.Decoder, start xml.StartElement, path string, depth int, finals map[string]bool) error {
	href := ""
	for _, a := range start.Attr {
		if a.Name.Local == "href" {
			href = a.Value
		}
	}
	href = strings.TrimPrefix(href, "file://")
	if href == "" || strings.Contains(href, "://") {
		return fmt.Errorf("xi:include of %q: only local files can be included", href)
	}
	if !filepath.IsAbs(href) {
		href = filepath.Join(filepath.Dir(path), href)
	}
	if _, err := os.Stat(href); err != nil {
		return c.fallback(d, href, path, depth, finals)
	}
	if err := c.readFile(href, depth+1, finals); err != nil {
		return err
	}
	return d.Skip()
}

// fallback reads the properties of an <xi:fallback>; without one, a missing file is an error.
func (c *Conf) fallback(d *xml.Decoder, href, path string, depth int, finals map[string]bool) error {
	seen := false
	for level := 1; level > 0; {
		tok, err := d.Token()
		if err != nil {
			return fmt.Errorf("malformed xi:include: %w", err)
		}
		switch t := tok.(type) {
		case xml.EndElement:
			level--
		case xml.StartElement:
			if t.Name.Local == "property" {
				var p xmlProperty
				if err := d.DecodeElement(&p, &t); err != nil {
					return fmt.Errorf("malformed property: %w", err)
				}
				c.apply(p, finals)
				continue
			}
			seen = seen || t.Name.Local == "fallback"
			level++
		}
	}
	if !seen {
		return fmt.Errorf("%s includes %s, which does not exist", path, href)
	}
	return nil
}

// sensitive matches properties whose values are passwords and keys (hadoop.security.sensitive-config-keys).
var sensitive = regexp.MustCompile(`(?i)(secret$|password$|credential$|secret\.?key$|oauth.*token$|account\.key|fs\.s3.*access\.?key$|ssl\.keystore\.pass$)`)

// WriteXML writes the properties as one site file, with all references replaced, since the container that reads
// it has another environment. Passwords and keys stay behind: the file is shipped through HDFS.
func (c *Conf) WriteXML(w io.Writer) error {
	out := bufio.NewWriter(w)
	out.WriteString("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<configuration>\n")
	for _, k := range c.Keys() {
		if sensitive.MatchString(k) {
			continue
		}
		out.WriteString("  <property><name>")
		_ = xml.EscapeText(out, []byte(k)) // out keeps the first error for Flush
		out.WriteString("</name><value>")
		_ = xml.EscapeText(out, []byte(c.Get(k)))
		out.WriteString("</value></property>\n")
	}
	out.WriteString("</configuration>\n")
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write the Hadoop configuration: %w", err)
	}
	return nil
}
