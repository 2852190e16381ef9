package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// root is the repository's folder.
const root = "../.."

// block is a fenced block of a page.
type block struct {
	lang  string
	attrs map[string]string
	with  string // of the comment above it
	text  string
	line  int
}

// page is a Markdown file.
type page struct {
	name   string // below the root
	blocks []block
	prose  []string // lines outside of blocks; blocks leave empty lines
}

// pages are all of them.
func pages(t *testing.T) []*page {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{"README.md", "ARCHITECTURE.md", "CHANGELOG.md"} {
		names = append(names, filepath.Join(root, n))
	}
	var out []*page
	for _, n := range names {
		data, err := os.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		rel, err := filepath.Rel(root, n)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, parse(filepath.ToSlash(rel), string(data)))
	}
	return out
}

var withComment = regexp.MustCompile(`^<!-- with (.*) -->$`)

func parse(name, text string) *page {
	p := &page{name: name}
	var in *block
	with := ""
	for i, line := range strings.Split(text, "\n") {
		fence, info, _ := strings.Cut(line, "```")
		switch isFence := fence == "" && strings.HasPrefix(line, "```"); {
		case isFence && in == nil:
			in = newBlock(info, with, i+1)
		case isFence:
			p.blocks = append(p.blocks, *in)
			in, with = nil, ""
		case in != nil:
			in.text += line + "\n"
			line = ""
		}
		if in != nil || isCode(line) {
			line = ""
		}
		if m := withComment.FindStringSubmatch(line); m != nil {
			with = m[1]
		}
		p.prose = append(p.prose, line)
	}
	return p
}

func isCode(line string) bool { return strings.HasPrefix(line, "```") }

func newBlock(info, with string, line int) *block {
	words := strings.Fields(info)
	b := &block{attrs: map[string]string{}, with: with, line: line}
	for i, w := range words {
		if i == 0 {
			b.lang = w
			continue
		}
		k, v, _ := strings.Cut(w, "=")
		b.attrs[k] = v
	}
	return b
}

func TestParse(t *testing.T) {
	p := parse("x.md", "# A\n<!-- with c int -->\n```go file=a.go\nx\n```\n`k`\n```sh run=yarn fails\ny\n```\n")
	if len(p.blocks) != 2 || p.blocks[0].with != "c int" || p.blocks[0].attrs["file"] != "a.go" || p.blocks[0].text != "x\n" || p.blocks[1].with != "" {
		t.Errorf("got %+v", p.blocks)
	}
	if _, fails := p.blocks[1].attrs["fails"]; !fails || p.blocks[1].attrs["run"] != "yarn" {
		t.Errorf("got %+v", p.blocks[1])
	}
	if !slices.Contains(p.prose, "`k`") || slices.Contains(p.prose, "x") {
		t.Errorf("got %q", p.prose)
	}
}

var (
	linkRE    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	headingRE = regexp.MustCompile(`^#+ (.*)$`)
	notInSlug = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors are the fragments that a page's headings make.
func (p *page) anchors() map[string]bool {
	out := map[string]bool{}
	for _, l := range p.prose {
		if m := headingRE.FindStringSubmatch(l); m != nil {
			slug := notInSlug.ReplaceAllString(strings.ToLower(strings.ReplaceAll(m[1], "`", "")), "")
			out[strings.ReplaceAll(slug, " ", "-")] = true
		}
	}
	return out
}

// TestLinks: what a page links to is there.
func TestLinks(t *testing.T) {
	all := pages(t)
	byName := map[string]*page{}
	for _, p := range all {
		byName[p.name] = p
	}
	for _, p := range all {
		for i, l := range p.prose {
			for _, m := range linkRE.FindAllStringSubmatch(l, -1) {
				if strings.Contains(m[1], "://") {
					continue
				}
				file, anchor, _ := strings.Cut(m[1], "#")
				target := p.name
				if file != "" {
					target = filepath.ToSlash(filepath.Join(filepath.Dir(p.name), file))
				}
				if _, err := os.Stat(filepath.Join(root, target)); err != nil {
					t.Errorf("%s:%d: %s: %v", p.name, i+1, m[1], err)
				} else if anchor != "" && (byName[target] == nil || !byName[target].anchors()[anchor]) {
					t.Errorf("%s:%d: %s has no heading for #%s", p.name, i+1, target, anchor)
				}
			}
		}
	}
}

// TestShellBlocksAreTested: every shell block says whether and where it runs.
func TestShellBlocksAreTested(t *testing.T) {
	kinds := []string{"local", "standalone", "yarn", "no"}
	for _, p := range pages(t) {
		for _, b := range p.blocks {
			if b.lang == "sh" && !slices.Contains(kinds, b.attrs["run"]) {
				t.Errorf("%s:%d: a shell block without run=…, one of %v", p.name, b.line, kinds)
			}
			if b.lang == "bash" || b.lang == "shell" || b.lang == "console" || b.lang == "" {
				t.Errorf("%s:%d: a block in the language %q: name it, shell commands are sh", p.name, b.line, b.lang)
			}
		}
	}
}
