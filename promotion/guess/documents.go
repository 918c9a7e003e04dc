package guess

// What a file says: its YAML or JSON documents, and the values in them that
// carry a version.

import (
	"bytes"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/promobot/promobot/promotion/content/edit"
)

// What a file may be at most to be looked into.
const (
	maxBytes     = 1 << 20
	maxDocuments = 200
	maxKeys      = 12
	maxNodes     = 50_000
)

// kind is how a value is promoted.
type kind string

const (
	images kind = "images"
	values kind = "values"
)

// carrier is a value that carries a version.
type carrier struct {
	kind  kind
	key   string // images: the image's name; values: the value path
	glob  string // a value path that fits others like it
	what  string // for people: "image tags", "chart versions of Flux HelmReleases"
	label string // what it belongs to, "" when it does not say
	text  string // the value now
	space string // of the object: its namespace
	flux  bool   // a HelmRelease's chart version, which Flux reports
}

// documents are the mappings of a file, whatever cannot be read left out.
func documents(src []byte) (out []*yaml.Node) {
	if len(src) > maxBytes {
		return nil
	}
	defer func() {
		if r := recover(); r != nil { // the parser's own, on input that anyone may push
			out = nil
		}
	}()
	in := yaml.NewDecoder(bytes.NewReader(src))
	for range maxDocuments {
		var doc yaml.Node
		if err := in.Decode(&doc); err != nil {
			return out
		}
		if len(doc.Content) == 1 && doc.Content[0].Kind == yaml.MappingNode {
			out = append(out, doc.Content[0])
		}
	}
	return out
}

// get follows keys through mappings; nil when there is no such value.
func get(n *yaml.Node, keys ...string) *yaml.Node {
	for _, k := range keys {
		if n == nil || n.Kind != yaml.MappingNode {
			return nil
		}
		var next *yaml.Node
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == k {
				next = n.Content[i+1]
			}
		}
		n = next
	}
	return n
}

func text(n *yaml.Node, keys ...string) string {
	if n = get(n, keys...); n != nil && n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
		return n.Value
	}
	return ""
}

func items(n *yaml.Node, keys ...string) []*yaml.Node {
	if n = get(n, keys...); n != nil && n.Kind == yaml.SequenceNode {
		return n.Content
	}
	return nil
}

var kustomizationNames = []string{"kustomization.yaml", "kustomization.yml", "Kustomization"}

func isKustomization(p string) bool { return slices.Contains(kustomizationNames, path.Base(p)) }

// carriers are the values of a file that carry versions.
func carriers(p string, src []byte) []carrier {
	var out []carrier
	for _, doc := range documents(src) {
		switch object := text(doc, "kind"); {
		case isKustomization(p):
			out = append(out, ofKustomization(doc)...)
		case path.Base(p) == "Chart.yaml":
			for _, d := range items(doc, "dependencies") {
				out = listed(out, d, []string{"dependencies"}, "version", "versions of a chart's dependencies")
			}
		case object == "":
			out = append(out, ofValues(doc, nil, text(doc, "name"))...)
		case object == "Secret" || object == "ConfigMap" || object == "SealedSecret" || object == "Kustomization" || object == "List":
		default:
			out = append(out, ofObject(object, doc)...)
		}
	}
	return out
}

func ofKustomization(doc *yaml.Node) []carrier {
	var out []carrier
	for _, i := range items(doc, "images") {
		if n := text(i, "name"); n != "" && (text(i, "newTag") != "" || text(i, "digest") != "") {
			out = append(out, carrier{kind: images, key: n, what: "images of kustomizations", text: text(i, "newTag"), label: path.Base(n)})
		}
	}
	for _, c := range items(doc, "helmCharts") {
		out = listed(out, c, []string{"helmCharts"}, "version", "chart versions of kustomizations")
	}
	return out
}

// listed adds a field of a list's item that has a name.
func listed(out []carrier, item *yaml.Node, keys []string, field, what string) []carrier {
	n, v := text(item, "name"), text(item, field)
	if n == "" || v == "" {
		return out
	}
	at := append(slices.Clone(keys), n, field)
	wild := append(slices.Clone(keys), "*", field)
	return append(out, carrier{kind: values, key: edit.Key(at), glob: strings.Join(wild, "."), what: what, text: v, label: n})
}

func ofObject(object string, doc *yaml.Node) []carrier {
	var out []carrier
	label, space := text(doc, "metadata", "name"), text(doc, "metadata", "namespace")
	one := func(what string, keys ...string) {
		if v := text(doc, keys...); v != "" {
			out = append(out, carrier{kind: values, key: edit.Key(keys), glob: edit.Key(keys), what: what, text: v, label: label, space: space})
		}
	}
	switch object {
	case "HelmRelease":
		one("chart versions of Flux HelmReleases", "spec", "chart", "spec", "version")
		for i := range out {
			out[i].flux = true
		}
		return append(out, ofValues(get(doc, "spec", "values"), []string{"spec", "values"}, label)...)
	case "OCIRepository", "GitRepository":
		one("versions of Flux sources", "spec", "ref", "tag")
		one("versions of Flux sources", "spec", "ref", "semver")
	case "Application":
		if text(doc, "spec", "source", "chart") != "" || pinned(text(doc, "spec", "source", "targetRevision")) {
			one("versions of Argo CD Applications", "spec", "source", "targetRevision")
		}
		return append(out, ofValues(get(doc, "spec", "source", "helm", "valuesObject"), []string{"spec", "source", "helm", "valuesObject"}, label)...)
	case "ApplicationSet":
	case "CronJob":
		out = containersOf(doc, "spec", "jobTemplate", "spec", "template", "spec")
	case "Pod":
		out = containersOf(doc, "spec")
	default:
		out = containersOf(doc, "spec", "template", "spec")
	}
	return out
}

func containersOf(doc *yaml.Node, keys ...string) []carrier {
	var out []carrier
	for _, list := range []string{"containers", "initContainers"} {
		at := append(slices.Clone(keys), list)
		for _, c := range items(doc, at...) {
			if tagged(text(c, "image")) {
				before := len(out)
				if out = listed(out, c, at, "image", "container images of manifests"); len(out) > before {
					out[before].label = imageName(out[before].text)
				}
			}
		}
	}
	return out
}

// tagged says whether an image's name has a tag or a digest.
func tagged(image string) bool {
	return strings.Contains(image, "@") || strings.LastIndex(image, ":") > strings.LastIndex(image, "/")
}

// imageName is an image's short name.
func imageName(image string) string {
	image, _, _ = strings.Cut(image, "@")
	base := path.Base(image)
	base, _, _ = strings.Cut(base, ":")
	return base
}

var (
	versionText = regexp.MustCompile(`^v?\d+(\.\d+)+([-+][0-9A-Za-z.+_-]*)?$`)
	hashText    = regexp.MustCompile(`^(sha-)?[0-9a-f]{7,64}$`)
)

func pinned(text string) bool { return versionText.MatchString(text) || hashText.MatchString(text) }

// ofValues looks for image tags in Helm values and files like them.
func ofValues(doc *yaml.Node, prefix []string, label string) []carrier {
	var out []carrier
	nodes := 0
	var walk func(n *yaml.Node, keys []string)
	walk = func(n *yaml.Node, keys []string) {
		if nodes++; nodes > maxNodes || len(keys) > maxKeys || n == nil || n.Kind != yaml.MappingNode {
			return
		}
		parent := ""
		if len(keys) > 0 {
			parent = strings.ToLower(keys[len(keys)-1])
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			k, v := n.Content[i].Value, n.Content[i+1]
			at := append(slices.Clone(keys), k)
			if v.Kind == yaml.MappingNode {
				walk(v, at)
				continue
			}
			if v.Kind != yaml.ScalarNode || v.Value == "" || v.Tag == "!!null" || v.Tag == "!!bool" {
				continue
			}
			var glob, what string
			switch lower := strings.ToLower(k); {
			case (lower == "tag" || lower == "digest") && strings.HasSuffix(parent, "image"):
				glob, what = "**."+edit.Key([]string{keys[len(keys)-1], k}), "image tags in values"
			case lower == "imagetag" || lower == "image_tag":
				glob, what = "**."+edit.Key([]string{k}), "image tags in values"
			case lower == "image" && tagged(v.Value):
				glob, what = "**."+edit.Key([]string{k}), "images in values"
			case (lower == "appversion" || lower == "app_version" || lower == "chartversion" || lower == "targetrevision") && pinned(v.Value):
				glob, what = "**."+edit.Key([]string{k}), "versions in values"
			case (lower == "version" || lower == "tag") && len(keys) == len(prefix) && pinned(v.Value):
				glob, what = edit.Key(at), "versions in values"
			default:
				continue
			}
			if len(prefix) > 0 {
				glob = edit.Key(prefix) + "." + glob
			}
			out = append(out, carrier{kind: values, key: edit.Key(at), glob: glob, what: what, text: v.Value, label: label})
		}
	}
	walk(doc, prefix)
	return out
}
