package edit

// KEY=value files (.env, .properties), so that what keep names stays in them
// too. They are only read: a value's quoting depends on who reads the file.

import (
	"bytes"
	"path"
	"regexp"
	"strings"
)

var envLine = regexp.MustCompile(`(?m)^[ \t]*(?:export[ \t]+)?([A-Za-z_][0-9A-Za-z_.-]*)[ \t]*=[ \t]*([^\r\n]*?)[ \t]*\r?$`)

func isEnvFile(name string) bool {
	base := strings.ToLower(path.Base(name))
	return strings.HasPrefix(base, ".env") || strings.HasSuffix(base, ".env") || strings.HasSuffix(base, ".properties")
}

// parseEnv reads the lines that set a key; all others are comments to it. A
// value that goes on over a backslash at its line's end has no known place.
func parseEnv(data []byte) *node {
	n := &node{kind: mappingNode, end: len(data), known: true}
	line, counted := 1, 0
	for _, m := range envLine.FindAllSubmatchIndex(data, -1) {
		text := string(data[m[4]:m[5]])
		line += bytes.Count(data[counted:m[2]], []byte("\n"))
		counted = m[2]
		n.entries = append(n.entries, entry{
			key: string(data[m[2]:m[3]]), plainKey: true, keyStart: m[2],
			value: &node{
				kind: scalarNode, typ: String, text: text, start: m[4], end: m[5],
				known: !strings.HasSuffix(text, `\`), line: line,
			},
		})
	}
	return n
}
