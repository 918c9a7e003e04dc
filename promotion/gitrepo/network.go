package gitrepo

// Uses of the network: each is told to the observer, and gets a new token when
// the remote refuses the first.

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// network runs one process that uses the network, with a new token when the
// remote refuses the first.
func (r *Repository) network(ctx context.Context, kind string, prepare func() command) error {
	start := time.Now()
	err := r.withToken(ctx, prepare)
	if r.opts.Observer != nil {
		r.opts.Observer(kind, time.Since(start), err)
	}
	return err
}

// withToken makes the command anew for each try, since input is read only once.
func (r *Repository) withToken(ctx context.Context, prepare func() command) error {
	var err error
	refused := ""
	for range 2 {
		c := prepare()
		c.url = r.remote.URL
		if c.token, err = r.token(ctx, refused); err != nil {
			return err
		}
		refused = c.token
		err = explain(r.run.do(ctx, c), true)
		if !errors.Is(err, ErrUnauthorized) {
			return err
		}
	}
	return err
}

func (r *Repository) token(ctx context.Context, refused string) (string, error) {
	if r.remote.Token == nil {
		return "", nil
	}
	token, err := r.remote.Token(ctx, refused)
	if err != nil {
		return "", fmt.Errorf("an installation token for git: %w", err)
	}
	if strings.ContainsAny(token, "\r\n\x00") {
		return "", errors.New("an installation token for git: it holds a line end")
	}
	return token, nil
}
