package texts

import (
	"fmt"
	"strings"
)

// Superseded is the text of a closed pull request with a first line that names
// the one in which things go on. Written twice it is the same.
func Superseded(body string, number int) string {
	line := fmt.Sprintf("**Superseded by #%d**, which carries what is newer.", number)
	if strings.HasPrefix(body, line) || len(body)+len(line)+2 > mostBody {
		return body
	}
	return line + "\n\n" + body
}
