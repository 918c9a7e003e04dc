package config_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/promobot/promobot/promotion/config"
)

// TestHostileWindows are windows made to be looked at for long: they are never
// open, each by itself or any two together.
func TestHostileWindows(t *testing.T) {
	spans := func(parity int) string {
		var out []string
		for i := range 24 {
			out = append(out, fmt.Sprintf(`"%02d:%02d-%02d:%02d"`, i, parity*30, i, parity*30+29))
		}
		return "[" + strings.Join(out, ", ") + "]"
	}
	var alone, together, environments strings.Builder
	for i := range 50 {
		fmt.Fprintf(&alone, "  w%d: {allow: %s, block: %s}\n", i, spans(0), spans(0))
		fmt.Fprintf(&together, "  w%d: {allow: %s}\n", i, spans(i%2))
	}
	for i := range 400 {
		fmt.Fprintf(&environments, "  e%d: {window: [w%d, w%d]}\n", i, i/20*2, (i%20)*2+1)
	}
	tail := base[strings.Index(base, "pipelines"):]
	for name, src := range map[string]string{
		"each":     base + "windows:\n" + alone.String(),
		"together": "version: 1\nenvironments:\n" + environments.String() + tail + "windows:\n" + together.String(),
	} {
		t.Run(name, func(t *testing.T) {
			begin := time.Now()
			f, problems := config.Parse("p.yml", []byte(src))
			if f != nil || !strings.Contains(describe(problems), "never open") {
				t.Errorf("problems: %.500s", describe(problems))
			}
			if took := time.Since(begin); took > time.Minute {
				t.Errorf("took %s", took)
			}
		})
	}
}
