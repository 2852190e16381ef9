package lint

import (
	"strings"
	"testing"

	"goflink/conf"
)

func TestConfigurationKeysAreDocumented(t *testing.T) {
	for _, o := range conf.Options() {
		if strings.TrimSpace(o.Doc) == "" {
			t.Errorf("configuration key %s has no description", o.Key)
		}
	}
}
