package content

import "github.com/promobot/promobot/promotion/content/edit"

// Text is a single value in a YAML or JSON file, by its path; "" when the file
// cannot be read or has no such value.
func Text(data []byte, path string) string {
	p, err := edit.ParsePattern(path)
	if err != nil {
		return ""
	}
	f, err := edit.Parse("revision.yaml", data) // YAML holds JSON
	if err != nil {
		return ""
	}
	for _, v := range f.Find(false, p) {
		if !v.Collection {
			return v.Text
		}
	}
	return ""
}
