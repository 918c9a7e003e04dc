package main

// The setting notifications: a list, which no variable can hold, so that it comes
// from the file alone. Its URLs and secrets can stand in files of their own.

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/promobot/promobot/handlers/notify"
)

// notificationsKey is the setting's name.
const notificationsKey = "notifications"

// NotificationConfig is who is told of what, and how.
type NotificationConfig struct {
	Name         string
	Kind         string // slack or webhook
	URL          Secret
	Secret       Secret // that signs what is sent
	On           []string
	Environments []string // globs
	Repositories []string // globs of owner/name
	Template     string
	AllowPrivate bool
}

// receiver checks the settings; see notify.NewReceiver.
func (c NotificationConfig) receiver() (*notify.Receiver, error) {
	kinds := make([]notify.Kind, 0, len(c.On))
	for _, on := range c.On {
		kinds = append(kinds, notify.Kind(on))
	}
	return notify.NewReceiver(notify.Settings{
		Name: c.Name, Format: notify.Format(c.Kind), URL: c.URL.Reveal(), Secret: c.Secret.Reveal(), On: kinds,
		Environments: c.Environments, Repositories: c.Repositories, Template: c.Template, AllowPrivate: c.AllowPrivate,
	})
}

// readNotifications reads the list.
func (l *loader) readNotifications(n *yaml.Node) {
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag == "!!null":
		return
	case n.Kind != yaml.SequenceNode:
		l.problem(l.at(n), "notifications has to be a list, each of its entries with name, kind and url")
		return
	}
	named := map[string]string{}
	for i, item := range n.Content {
		c, where := l.readNotification(fmt.Sprintf("%s[%d]", notificationsKey, i), item)
		if where == nil {
			continue
		}
		if before := named[c.Name]; before != "" && c.Name != "" {
			l.problem(where["name"], "%s: %q was already said at %s; each receiver needs a name of its own", notificationsKey, c.Name, before)
		}
		named[c.Name] = where["name"]
		l.config.Notifications = append(l.config.Notifications, c)
	}
}

// notificationFields are the keys of one entry, and where their values go.
func notificationFields(c *NotificationConfig) map[string]any {
	return map[string]any{
		"name": &c.Name, "kind": &c.Kind, "url": &c.URL, "secret": &c.Secret, "on": &c.On, "environments": &c.Environments,
		"repositories": &c.Repositories, "template": &c.Template, "allow_private": &c.AllowPrivate,
	}
}

// readNotification reads one entry, and says where each of its keys stands; nil
// when it is no mapping.
func (l *loader) readNotification(name string, n *yaml.Node) (c NotificationConfig, where map[string]string) {
	if n.Kind != yaml.MappingNode {
		l.problem(l.at(n), "%s has to be a mapping with name, kind and url", name)
		return c, nil
	}
	fields := notificationFields(&c)
	known := []string{"name", "kind", "url", "url_file", "secret", "secret_file", "on", "environments", "repositories", "template", "allow_private"}
	where = map[string]string{"": l.at(n)}
	var template *yaml.Node
	before := len(l.problems)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		full := name + "." + key.Value
		base, isFile := strings.CutSuffix(key.Value, fileSuffix)
		switch {
		case !slices.Contains(known, key.Value):
			l.problem(l.at(key), "there is no setting %s%s", full, meant(key.Value, known))
		case where[key.Value] != "":
			l.problem(l.at(key), "%s was already said at %s; remove one of them", full, where[key.Value])
		case isFile:
			where[key.Value] = l.at(key)
			l.readNotificationFile(full, base, fields, value, where)
		default:
			where[key.Value] = l.at(key)
			if key.Value == "template" {
				template = value
			}
			l.readNotificationField(full, fields[key.Value], value)
		}
	}
	for _, secret := range []string{"url", "secret"} {
		if where[secret] != "" && where[secret+fileSuffix] != "" {
			l.problem(where[secret], "%s.%s and %s.%s%s are both given; remove one of them", name, secret, name, secret, fileSuffix)
		}
	}
	if len(l.problems) == before { // of what was misread there is nothing more to say
		l.checkNotification(name, c, where, template)
	}
	return c, where
}

// readNotificationFile reads a secret from the file that is named for it.
func (l *loader) readNotificationFile(full, secret string, fields map[string]any, value *yaml.Node, where map[string]string) {
	if value.Kind != yaml.ScalarNode || value.Value == "" {
		l.problem(l.at(value), "%s has to be the name of a file", full)
		return
	}
	content, err := readBounded(value.Value, maxSecretFile)
	if err != nil {
		l.problem(l.at(value), "%s: %w", full, err)
		return
	}
	if into, ok := fields[secret].(*Secret); ok {
		*into = Secret{strings.TrimSpace(content)}
	}
	if strings.TrimSpace(content) == "" {
		l.problem(where[secret+fileSuffix], "%s: %s is empty", full, value.Value)
	}
}

// readNotificationField reads one value. What is in a secret is not repeated.
func (l *loader) readNotificationField(full string, into any, value *yaml.Node) {
	single := value.Kind == yaml.ScalarNode
	switch into := into.(type) {
	case *[]string:
		nodes := value.Content
		if single {
			nodes = []*yaml.Node{value}
		}
		for _, one := range nodes {
			if value.Kind == yaml.MappingNode || one.Kind != yaml.ScalarNode {
				l.problem(l.at(value), "%s has to be a list of words", full)
				return
			}
			*into = append(*into, one.Value)
		}
	case *string:
		if !single {
			l.problem(l.at(value), "%s has to be a single value", full)
			return
		}
		*into = value.Value
	case *Secret:
		if !single {
			l.problem(l.at(value), "%s has to be a single value", full)
			return
		}
		*into = Secret{value.Value}
	case *bool:
		switch {
		case single && value.Value == "true":
			*into = true
		case single && value.Value == "false":
			*into = false
		default:
			l.problem(l.at(value), "%s is neither true nor false", full)
		}
	}
}

// checkNotification says what cannot be meant, each thing where it stands.
func (l *loader) checkNotification(name string, c NotificationConfig, where map[string]string, template *yaml.Node) {
	_, err := c.receiver()
	if err == nil {
		return
	}
	all := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok { // each of several is said where it stands
		all = joined.Unwrap()
	}
	for _, one := range all {
		wrong, ok := errors.AsType[*notify.SettingError](one)
		if !ok {
			l.problem(where[""], "%s: %w", name, one)
			continue
		}
		at := where[""]
		for _, key := range []string{wrong.Setting, wrong.Setting + fileSuffix} {
			if where[key] != "" {
				at = where[key]
			}
		}
		if wrong.Setting == "template" && template != nil && wrong.Line > 0 {
			at = l.templateLine(template, wrong.Line)
		}
		l.problem(at, "%s.%w", name, wrong)
	}
}

// templateLine is where a line of a template stands in the file: of a block
// (template: |), below its key.
func (l *loader) templateLine(n *yaml.Node, line int) string {
	first := n.Line
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		first++
	}
	return fmt.Sprintf("%s:%d", l.file, first+line-1)
}
