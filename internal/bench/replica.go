package main

// Replicas: the real program as processes of their own, each with its own
// queue and mirrors, and all woken by every webhook.

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// build makes the program from this module, unless one was given.
func (b *bench) build(ctx context.Context) (string, error) {
	if b.promobot != "" {
		return filepath.Abs(b.promobot)
	}
	b.say("building promobot …")
	binary, err := filepath.Abs(filepath.Join(b.dir, "promobot"))
	if err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "github.com/promobot/promobot/cmd/promobot").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build promobot (run bench in its repository): %w\n%s", err, out)
	}
	return binary, nil
}

// settings are what benches change of the program's configuration. Everything
// else is as it comes.
type settings struct {
	// paced leaves the limits on writes and pushes as they come; without it
	// nothing but the latency slows promobot down, as nothing else slows scripts.
	paced    bool
	debounce time.Duration // how long to wait after a webhook; usual is as it comes
	pages    bool          // people may sign in, at pagesAt
}

// usual is the program's default.
const usual = time.Second

// replica is one running promobot.
type replica struct {
	dir     string
	cmd     *exec.Cmd
	address string
	ended   chan struct{} // closed when the process is gone
	err     error         // how it ended; read after ended
	stopped bool
}

func (r *replica) logFile() string { return filepath.Join(r.dir, "log") }

// start starts so many replicas and waits until they have looked at everything
// once and are at rest.
func (w *world) start(ctx context.Context, n int, s settings) error {
	if w.bench.quick {
		s.debounce = 0
	}
	w.debounce = s.debounce
	for range n {
		r, err := w.startOne(ctx, len(w.replicas), s)
		if err != nil {
			return err
		}
		w.replicas = append(w.replicas, r)
		w.hooks.add("http://" + r.address + "/api/github/hook")
	}
	return w.rest(ctx)
}

// stopAll ends the replicas, so that they take nothing from what runs next.
func (w *world) stopAll() error {
	w.hooks.clear()
	var err error
	for _, r := range w.replicas {
		err = errors.Join(err, r.stop())
	}
	return err
}

func (w *world) startOne(ctx context.Context, n int, s settings) (*replica, error) {
	r := &replica{dir: filepath.Join(w.dir, fmt.Sprintf("replica-%d", n)), ended: make(chan struct{})}
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		return nil, err
	}
	if err := w.writeConfig(r.dir, s); err != nil {
		return nil, err
	}
	log, err := os.Create(r.logFile())
	if err != nil {
		return nil, err
	}
	r.cmd = exec.CommandContext(context.WithoutCancel(ctx), w.bench.binary, "serve", "--config", filepath.Join(r.dir, "config.yml")) // ended by stop
	r.cmd.Env = plainEnvironment()
	// A group of its own: an interrupt at the terminal reaches it through stop.
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := r.cmd.StderrPipe()
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	if err := r.cmd.Start(); err != nil {
		return nil, errors.Join(err, log.Close())
	}
	address := make(chan string, 1)
	go func() {
		defer close(r.ended)
		err := follow(out, log, address)
		r.err = errors.Join(r.cmd.Wait(), err, log.Close())
	}()
	if r.address = <-address; r.address == "" {
		<-r.ended
		return nil, fmt.Errorf("promobot does not start: %w\n%s", r.err, r.tail(10))
	}
	return r, nil
}

// follow copies a log, and sends the address that it names, or "" at its end.
func follow(from io.Reader, to io.Writer, address chan<- string) error {
	defer close(address)
	lines := bufio.NewReader(from)
	told := false
	for {
		line, err := lines.ReadBytes('\n')
		if _, err := to.Write(line); err != nil {
			return err
		}
		var entry struct{ Message, Address string }
		if !told && json.Unmarshal(line, &entry) == nil && strings.Contains(entry.Message, "promobot serves") {
			address <- entry.Address
			told = true
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (w *world) writeConfig(dir string, s settings) error {
	key := filepath.Join(dir, "key.pem")
	if err := os.WriteFile(key, w.app.PrivateKeyPEM, 0o600); err != nil {
		return err
	}
	server := `address: "127.0.0.1:0"`
	if s.pages {
		server += fmt.Sprintf(", public_url: %q", pagesAt)
	}
	config := fmt.Sprintf(`server: {%s}
github: {api_url: %q, app_id: %d, private_key_file: %q, webhook_secret: %q}
data_dir: %q
`, server, w.sim.URL()+"/api/v3/", w.app.ID, key, secret, filepath.Join(dir, "data"))
	if !s.paced {
		config += "limits: {writes_per_minute: 0, pushes_per_minute: 0}\n"
	}
	if s.pages {
		config += fmt.Sprintf("pages: {client_id: %q, client_secret: %q}\n", w.app.ClientID, w.app.ClientSecret)
	}
	config += fmt.Sprintf("queue: {debounce: %s}\n", s.debounce)
	return os.WriteFile(filepath.Join(dir, "config.yml"), []byte(config), 0o600)
}

// alive is an error if the process has ended by itself.
func (r *replica) alive() error {
	select {
	case <-r.ended:
		if r.stopped {
			return nil
		}
		return fmt.Errorf("promobot ended: %w\n%s", r.err, r.tail(10))
	default:
		return nil
	}
}

// stop ends the process: asked first, killed when it takes too long. A second
// time it does nothing.
func (r *replica) stop() error {
	if r.stopped {
		return nil
	}
	if err := r.alive(); err != nil {
		return err
	}
	r.stopped = true
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	timer := time.NewTimer(time.Minute)
	defer timer.Stop()
	select {
	case <-r.ended:
		return nil
	case <-timer.C:
	}
	err := r.cmd.Process.Kill()
	<-r.ended
	return errors.Join(errors.New("promobot does not stop"), err)
}

func (r *replica) tail(lines int) string {
	text, err := os.ReadFile(r.logFile())
	if err != nil {
		return err.Error()
	}
	all := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return string(bytes.Join(all[max(0, len(all)-lines):], []byte("\n")))
}

// get asks a replica.
func (r *replica) get(ctx context.Context, path string) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.address+path, nil)
	if err != nil {
		return 0, "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }() // read to its end
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

// metrics are a replica's, by name with labels.
func (r *replica) metrics(ctx context.Context) (map[string]float64, error) {
	_, text, err := r.get(ctx, "/metrics")
	if err != nil {
		return nil, err
	}
	m := map[string]float64{}
	for line := range strings.Lines(text) {
		name, number, ok := strings.Cut(strings.TrimSpace(line), " ")
		if strings.HasPrefix(line, "#") || !ok {
			continue
		}
		if m[name], err = strconv.ParseFloat(number, 64); err != nil {
			return nil, fmt.Errorf("the metric %s: %w", name, err)
		}
	}
	return m, nil
}

// rest waits until all replicas have swept, every webhook is delivered, their
// queues are empty and nothing was asked from one look to the next. Looks are
// further apart than the debounce: what was stored before one is due at the next.
func (w *world) rest(ctx context.Context) error {
	answered := -1
	_, err := w.poll(ctx, "rest", nil, w.debounce+100*time.Millisecond, func(ctx context.Context) (bool, error) {
		if err := w.sim.Drain(ctx); err != nil {
			return false, err
		}
		for _, r := range w.replicas {
			if busy, err := r.busy(ctx); err != nil || busy {
				answered = -1
				return false, err
			}
		}
		idle, now := w.traffic.quiet()
		before := answered
		answered = now
		return idle && before == now, nil
	})
	return err
}

func (r *replica) busy(ctx context.Context) (bool, error) {
	if r.stopped {
		return false, nil
	}
	status, _, err := r.get(ctx, "/readyz")
	if err != nil || status != http.StatusOK {
		return true, err
	}
	m, err := r.metrics(ctx)
	return m[`promobot_queue_keys{state="due"}`]+m[`promobot_queue_keys{state="running"}`] > 0, err
}

// fanout takes the App's webhooks, of which GitHub delivers each once, and
// gives each to all replicas.
type fanout struct {
	url    string
	server *http.Server
	served chan error

	mu      sync.Mutex
	targets []string
	first   time.Time // when the first webhook since expect arrived
}

func newFanout(ctx context.Context) (*fanout, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f := &fanout{url: "http://" + listener.Addr().String(), served: make(chan error, 1)}
	f.server = &http.Server{Handler: f, ReadHeaderTimeout: time.Minute}
	go func() { f.served <- f.server.Serve(listener) }()
	return f, nil
}

func (f *fanout) add(target string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.targets = append(f.targets, target)
}

// expect forgets the webhooks so far.
func (f *fanout) expect() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.first = time.Time{}
}

// woken is when the first webhook since expect arrived.
func (f *fanout) woken() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.first
}

func (f *fanout) clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.targets = nil
}

func (f *fanout) close() error {
	err := f.server.Close()
	if served := <-f.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// ServeHTTP gives a webhook to all; it fails if one does not take it.
func (f *fanout) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	f.mu.Lock()
	targets := f.targets
	if f.first.IsZero() {
		f.first = time.Now()
	}
	f.mu.Unlock()
	for _, target := range targets {
		req, err := http.NewRequestWithContext(r.Context(), http.MethodPost, target, bytes.NewReader(body))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		req.Header = r.Header.Clone()
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		_, copyErr := io.Copy(io.Discard, resp.Body)
		if err := errors.Join(copyErr, resp.Body.Close()); err != nil || resp.StatusCode/100 != 2 {
			http.Error(w, fmt.Sprint(resp.Status, " ", err), http.StatusBadGateway)
			return
		}
	}
	w.WriteHeader(http.StatusOK)
}
