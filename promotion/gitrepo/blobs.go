package gitrepo

// Blobs: the few that are needed, fetched by their ids in one request when they
// are not here yet, then read locally.

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/promobot/promobot/promotion/content"
)

// Blobs returns the bytes of the blobs with these ids. Those not in the mirror
// are fetched, all by one fetch; fetched says whether that was needed. It fails
// with ErrMissing when the remote has one not either, and with ErrTooLarge when
// one is larger than Options.MaxBlob.
func (r *Repository) Blobs(ctx context.Context, ids []string) (blobs content.Blobs, fetched bool, err error) {
	defer r.use()()
	ids = distinct(ids)
	for _, id := range ids {
		if !isID(id) {
			return nil, false, fmt.Errorf("blob %q: %w", clip(id, 80), ErrMissing)
		}
	}
	blobs = make(content.Blobs, len(ids))
	missing, err := r.readBlobs(ctx, r.cache.takeBlobs(blobs, ids), blobs)
	if err == nil && len(missing) > 0 {
		if fetched, err = r.fetchBlobs(ctx, missing, false); err == nil {
			missing, err = r.readBlobs(ctx, missing, blobs)
		}
	}
	if err == nil && len(missing) > 0 {
		err = fmt.Errorf("blob %s: %w", missing[0], ErrMissing)
	}
	if err != nil {
		return nil, fetched, err
	}
	return blobs, fetched, nil
}

// readBlobs adds those of the blobs to into that are here, and returns the others.
func (r *Repository) readBlobs(ctx context.Context, ids []string, into content.Blobs) (missing []string, err error) {
	err = r.readObjects(ctx, ids, r.opts.MaxBlob, func(o object) error {
		switch {
		case o.missing:
			missing = append(missing, o.id)
			return nil
		case o.kind != "blob":
			return fmt.Errorf("%s is a %s and no file", o.id, o.kind)
		case o.data == nil:
			return fmt.Errorf("blob %s has %d bytes, and at most %d are read: %w", o.id, o.size, r.opts.MaxBlob, ErrTooLarge)
		}
		into[o.id] = o.data
		r.cache.addBlob(o.id, o.data)
		return nil
	})
	return missing, err
}

// absent returns those of the ids that are not here.
func (r *Repository) absent(ctx context.Context, ids []string) ([]string, error) {
	var missing []string
	err := r.readObjects(ctx, ids, 0, func(o object) error {
		if o.missing {
			missing = append(missing, o.id)
		}
		return nil
	})
	return missing, err
}

var notOurRef = regexp.MustCompile(`not our ref ([0-9a-f]{40,64})`)

// bring fetches those of the blobs that are not here. What a push waits for is
// urgent.
func (r *Repository) bring(ctx context.Context, ids []string, urgent bool) (fetched bool, err error) {
	missing, err := r.absent(ctx, ids)
	if err != nil || len(missing) == 0 {
		return false, err
	}
	return r.fetchBlobs(ctx, missing, urgent)
}

// fetchBlobs fetches blobs that are not here. It needs no lock: it writes one
// pack and no ref.
func (r *Repository) fetchBlobs(ctx context.Context, missing []string, urgent bool) (fetched bool, err error) {
	if r.local {
		return false, fmt.Errorf("%d files are not in this partial clone (blob %s is the first; `git fetch --refetch --filter=blob:limit=%d` brings them): %w", len(missing), missing[0], r.opts.MaxBlob, ErrMissing)
	}
	r.writing.RLock()
	defer r.writing.RUnlock()
	err = r.network(ctx, "blobs", func() command {
		return command{
			name: "fetch", gitDir: r.dir, access: fetch, urgent: urgent, timeout: r.opts.Timeout,
			args: []string{
				"fetch", "--quiet", "--no-tags", "--no-write-fetch-head",
				"--no-auto-maintenance", "--recurse-submodules=no", "--stdin", remoteName,
			},
			stdin: strings.NewReader(strings.Join(missing, "\n") + "\n"),
		}
	})
	if err == nil {
		return true, nil
	}
	r.untidy.Store(true)
	if p, ok := errors.AsType[*ProcessError](err); ok {
		if m := notOurRef.FindStringSubmatch(p.Stderr); m != nil {
			return true, fmt.Errorf("blob %s: %w", m[1], ErrMissing)
		}
	}
	return true, err
}
