package main

// The settings as a list, from the struct's tags, and how a text becomes each
// one's value.

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

const envPrefix = "PROMOBOT_"

// setting is one leaf of the configuration.
type setting struct {
	name  string // github.app_id
	value reflect.Value
}

func (s setting) env() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(s.name, ".", "_"))
}

func (s setting) secret() bool { return s.value.Type() == reflect.TypeFor[Secret]() }

// fileSuffix turns a secret's name into that of the setting with its file.
const fileSuffix = "_file"

// settings lists every leaf of the configuration, in the struct's order. Their
// values are c's own.
func settings(c *Config) []setting {
	return leaves("", reflect.ValueOf(c).Elem())
}

func leaves(prefix string, group reflect.Value) []setting {
	var all []setting
	for n := range group.NumField() {
		name, value := group.Type().Field(n).Tag.Get("key"), group.Field(n)
		if name == "" {
			continue // a list, which is no leaf
		}
		if prefix != "" {
			name = prefix + "." + name
		}
		if value.Kind() == reflect.Struct && value.Type() != reflect.TypeFor[Secret]() {
			all = append(all, leaves(name, value)...)
			continue
		}
		all = append(all, setting{name, value})
	}
	return all
}

// set reads text as the setting's type. The error says what to write.
func (s setting) set(text string) error {
	switch into := s.value.Addr().Interface().(type) {
	case *string:
		*into = text
	case *Secret:
		*into = Secret{text}
	case *int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", text)
		}
		*into = n
	case *int64:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", text)
		}
		*into = n
	case *Bytes:
		size, err := parseBytes(text)
		if err != nil {
			return err
		}
		*into = size
	case *time.Duration:
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("%q is not a duration; write a number with its unit, such as 90s, 5m or 1h30m", text)
		}
		*into = d
	default:
		return fmt.Errorf("a setting of type %s cannot be read", s.value.Type())
	}
	return nil
}
