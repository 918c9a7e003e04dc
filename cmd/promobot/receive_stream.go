package main

// Server-sent events, as the HTML standard has them ("9.2 Server-sent events").

import (
	"bufio"
	"errors"
	"io"
	"strings"
)

// serverEvent is one of them.
type serverEvent struct {
	id, name, data string
}

// maxEvent bounds one: a payload of 25 MB, escaped, with its headers.
const maxEvent = 64 << 20

var errEventTooLong = errors.New("an event is longer than 64 MB")

// readEvents calls each for every event until the stream ends or each fails; alive
// for every line besides. An event that the stream's end cuts off is left out.
func readEvents(stream io.Reader, each func(serverEvent) error, alive func()) error {
	lines := lineReader{Reader: bufio.NewReaderSize(stream, 64<<10)}
	var e serverEvent
	var data []string
	lastID, size, first := "", 0, true
	for {
		line, err := lines.line(maxEvent - size)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if first {
			line, first = strings.TrimPrefix(line, "\ufeff"), false
		}
		alive()
		if line == "" {
			if len(data) > 0 {
				e.id, e.data = lastID, strings.Join(data, "\n")
				if err := each(e); err != nil {
					return err
				}
			} else if e.name != "" {
				e.id = lastID
				if err := each(e); err != nil { // smee's "ready" comes without data at times
					return err
				}
			}
			e, data, size = serverEvent{}, nil, 0
			continue
		}
		size += len(line)
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "data":
			data = append(data, value)
		case "event":
			e.name = value
		case "id":
			if !strings.ContainsRune(value, 0) {
				lastID = value
			}
		}
	}
}

// lineReader reads lines that end in \n, \r or both.
type lineReader struct {
	*bufio.Reader
	afterCR bool // a \n that follows belongs to the line before
}

// line reads up to a line's end; io.EOF when the stream ends before it.
func (r *lineReader) line(most int) (string, error) {
	var line strings.Builder
	for {
		c, err := r.ReadByte()
		if err != nil {
			return "", err
		}
		belongs := r.afterCR && c == '\n'
		r.afterCR = c == '\r'
		switch {
		case belongs:
		case c == '\n' || c == '\r':
			return line.String(), nil
		case line.Len() >= most:
			return "", errEventTooLong
		default:
			line.WriteByte(c)
		}
	}
}
