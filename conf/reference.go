package conf

import (
	"fmt"
	"strings"
)

//go:generate go test -run TestReferencePage -update

// Reference writes the reference page of all options in Markdown; docs/configuration.md holds it.
func Reference() string {
	var b strings.Builder
	b.WriteString("# Configuration\n\n")
	b.WriteString("Generated from the options in `conf`; `go generate ./conf` writes it anew.\n\n")
	b.WriteString("Values come from the configuration file (`conf/config.yaml`, or the older `flink-conf.yaml`), then `-Dkey=value`, then named\n" +
		"command line options, then what the program sets itself; each goes over the ones before.\n\n")
	b.WriteString("Durations are written `10 s`, `5 min`, `100 ms` (a bare number is milliseconds); memory sizes `128mb`, `1 gb`, `1728m` (a bare\n" +
		"number is bytes); lists `a;b`; maps `k1:v1,k2:v2`.\n\n")
	b.WriteString("Keys that say **no effect in this version** are recognised and checked, so that a Flink user's file works as it is; the client\n" +
		"warns where one is set.\n")
	section := ""
	for _, o := range Options() {
		if s := sectionOf(o.Key); s != section {
			section = s
			fmt.Fprintf(&b, "\n## %s\n\n| key | default | type | meaning |\n|---|---|---|---|\n", s)
		}
		doc := o.Doc
		if len(o.Fallbacks) > 0 {
			doc += " Older names: `" + strings.Join(o.Fallbacks, "`, `") + "`."
		}
		if reason := IdleReason(strings.TrimSuffix(o.Key, "<name>")); reason != "" {
			doc += " **No effect in this version**: " + reason + "."
		}
		def := o.Default
		if def == "" {
			def = "(empty)"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", o.Key, escapeCell(def), o.Type, escapeCell(doc))
	}
	return b.String()
}

// sectionOf groups keys by their first part.
func sectionOf(key string) string {
	first, _, _ := strings.Cut(key, ".")
	return first
}

func escapeCell(s string) string {
	return strings.NewReplacer("|", "\\|", "<", "&lt;", ">", "&gt;").Replace(s)
}
