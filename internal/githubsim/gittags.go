package githubsim

// Annotated tags (REST API endpoints for Git tags).

import (
	"fmt"
	"strings"
)

// tagObject is a parsed annotated tag.
type tagObject struct {
	id, target, kind, name, message string
	tagger                          signature
}

func parseTag(o object) tagObject {
	t := tagObject{id: o.id}
	head, message, _ := strings.Cut(string(o.data), "\n\n")
	t.message, _, _ = strings.Cut(message, "-----BEGIN PGP SIGNATURE-----")
	for line := range strings.SplitSeq(head, "\n") {
		key, value, _ := strings.Cut(line, " ")
		switch key {
		case "object":
			t.target = value
		case "type":
			t.kind = value
		case "tag":
			t.name = value
		case "tagger":
			t.tagger = parseSignature(value)
		}
	}
	return t
}

// tagJSON is a git-tag.
func (s *Server) tagJSON(r *repository, t tagObject) obj {
	return obj{
		"sha": t.id, "node_id": nodeID("Tag", t.id), "tag": t.name, "url": r.api(s, "/git/tags/%s", t.id),
		"message": strings.TrimSuffix(t.message, "\n"), "tagger": signatureJSON(t.tagger),
		"object":       obj{"sha": t.target, "type": t.kind, "url": r.api(s, "/git/%ss/%s", t.kind, t.target)},
		"verification": obj{"verified": false, "reason": "unsigned", "signature": nil, "payload": nil, "verified_at": nil},
	}
}

func (s *Server) getTagObject(c *call) (reply, error) {
	o, err := c.object(c.param("tag_sha"), "tag")
	if err != nil {
		return reply{}, err
	}
	return ok(s.tagJSON(c.repo, parseTag(o))), nil
}

// createTagObject makes the object only; the ref is made by the caller.
func (s *Server) createTagObject(c *call) (reply, error) {
	var in struct {
		Tag     string       `json:"tag"`
		Message string       `json:"message"`
		Object  string       `json:"object"`
		Type    string       `json:"type"`
		Tagger  *personInput `json:"tagger"`
	}
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	if in.Tag == "" || strings.ContainsAny(in.Tag, " \n\x00") {
		return reply{}, unprocessable("tag name is not valid")
	}
	tagger := in.Tagger.signature(signature{name: c.actor.name, email: c.actor.email, when: c.now})
	var made object
	err := c.git(func() error {
		o, err := c.repo.store.object(in.Object)
		if !fullSHA.MatchString(in.Object) || err != nil || o.kind != in.Type {
			return unprocessable("Could not verify object")
		}
		text := fmt.Sprintf("object %s\ntype %s\ntag %s\ntagger %s\n\n%s", o.id, o.kind, in.Tag, tagger, in.Message)
		id, err := c.repo.store.writeObject("tag", []byte(text))
		if err != nil {
			return err
		}
		made, err = c.repo.store.object(id)
		return err
	})
	if err != nil {
		return reply{}, err
	}
	return created(s.tagJSON(c.repo, parseTag(made))), nil
}
