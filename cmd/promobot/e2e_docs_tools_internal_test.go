package main

// What Argo CD and Flux set as commit statuses, by their documentation's rules,
// with the configuration that docs/verification.md shows.

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"text/template"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// posted is a commit status that a tool sets.
type posted struct{ context, state, text string }

// argoCD is what Argo CD's notifications set for the page's application, by its
// triggers and templates ("Notifications › Triggers", "› Services › GitHub").
func argoCD(t *testing.T, p pageSection, commit string, healthy bool) posted {
	t.Helper()
	var cm struct{ Data map[string]string }
	p.document(t, "kind", "ConfigMap", &cm)
	var app struct {
		Metadata struct {
			Name        string
			Annotations map[string]string
		}
	}
	p.document(t, "kind", "Application", &app)
	trigger := ""
	for name := range app.Metadata.Annotations {
		name, service, _ := strings.Cut(strings.TrimPrefix(name, "notifications.argoproj.io/subscribe."), ".")
		if cm.Data["service."+service] == "" {
			t.Fatalf("it subscribes to the service %q, which is not there", service)
		}
		trigger = cm.Data["trigger."+name]
	}
	var conditions []struct {
		When string
		Send []string
	}
	if err := yaml.Unmarshal([]byte(trigger), &conditions); err != nil || len(conditions) == 0 {
		t.Fatalf("the trigger it subscribes to: %v", err)
	}
	health, sign := "Healthy", "'Healthy'"
	if !healthy {
		health, sign = "Degraded", "'Degraded'"
	}
	sent := ""
	for _, c := range conditions {
		for _, name := range c.Send {
			if cm.Data["template."+name] == "" {
				t.Errorf("the trigger sends %q, which is no template", name)
			}
		}
		if strings.Contains(c.When, sign) {
			sent = c.Send[0]
		}
	}
	var context map[string]any
	if err := yaml.Unmarshal([]byte(cm.Data["context"]), &context); err != nil {
		t.Fatal(err)
	}
	var made struct {
		Message string
		GitHub  struct {
			RevisionPath string `yaml:"revisionPath"`
			Status       struct{ State, Label, TargetURL string }
		} `yaml:"github"`
	}
	if err := yaml.Unmarshal([]byte(cm.Data["template."+sent]), &made); err != nil {
		t.Fatal(err)
	}
	render := func(text string) string {
		var b strings.Builder
		tmpl, err := template.New("").Option("missingkey=error").Parse(text)
		if err == nil {
			err = tmpl.Execute(&b, map[string]any{"context": context, "app": map[string]any{
				"metadata": map[string]any{"name": app.Metadata.Name},
				"status": map[string]any{
					"health":         map[string]any{"status": health},
					"operationState": map[string]any{"phase": "Succeeded", "syncResult": map[string]any{"revision": commit}},
				},
			}})
		}
		if err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if at := render(made.GitHub.RevisionPath); at != commit {
		t.Errorf("it reports on %s, synced is %s", at, commit)
	}
	return posted{render(made.GitHub.Status.Label), made.GitHub.Status.State, render(made.Message)}
}

// fluxObject is what the page's alert watches, which is to be the Kustomization
// that the page has, where it has one.
func fluxObject(t *testing.T, p pageSection, provider string) (kind, name string) {
	t.Helper()
	type named struct{ Kind, Name string }
	var alert struct {
		Spec struct {
			ProviderRef  named   `yaml:"providerRef"`
			EventSources []named `yaml:"eventSources"`
		}
	}
	p.document(t, "kind", "Alert", &alert)
	var prov struct {
		Metadata named
		Spec     struct{ Type string }
	}
	p.document(t, "kind", "Provider", &prov)
	if prov.Spec.Type != provider || alert.Spec.ProviderRef.Name != prov.Metadata.Name {
		t.Errorf("the alert goes to %q, the provider is %q of type %q", alert.Spec.ProviderRef.Name, prov.Metadata.Name, prov.Spec.Type)
	}
	return alert.Spec.EventSources[0].Kind, alert.Spec.EventSources[0].Name
}

// flux is the commit status of an event ("Providers › Git Commit Status Updates").
func flux(t *testing.T, p pageSection, _ string, healthy bool) posted {
	t.Helper()
	const uid = "E3173055-5bd7-4c64-8b7d-2f0c6a1d5c11"
	kind, name := fluxObject(t, p, "github")
	var k struct {
		Metadata struct{ Name string }
		Spec     struct {
			Path string
			Wait bool
		}
	}
	p.document(t, "kind", "Kustomization", &k)
	if k.Metadata.Name != name || k.Spec.Path != "./envs/staging" || !k.Spec.Wait {
		t.Errorf("the alert is about %s, and the page has %+v", name, k)
	}
	out := posted{strings.ToLower(kind + "/" + name + "/" + strings.Split(uid, "-")[0]), "success", "reconciliation succeeded"}
	if !healthy {
		out.state, out.text = "failure", "health check failed"
	}
	return out
}

// fluxDispatch runs the page's workflow step, with a gh that writes down what it
// is asked for ("Providers › GitHub dispatch").
func fluxDispatch(t *testing.T, p pageSection, commit string, healthy bool) posted {
	t.Helper()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash to run the workflow's step with")
	}
	kind, name := fluxObject(t, p, "githubdispatch")
	var wf struct {
		On struct {
			Dispatch struct{ Types []string } `yaml:"repository_dispatch"`
		}
		Jobs map[string]struct {
			If    string
			Steps []struct {
				Run string
				Env map[string]string
			}
		}
	}
	p.document(t, "name", "smoke", &wf)
	if diff := cmp.Diff([]string{kind + "/" + name + ".flux-system"}, wf.On.Dispatch.Types); diff != "" {
		t.Errorf("what the workflow waits for (-Flux sends +it does):\n%s", diff)
	}
	dir := t.TempDir()
	for file, text := range map[string]string{
		"gh":       "#!/bin/sh\nprintf '%s\\n' \"$@\" > asked\n",
		"smoke.sh": fmt.Sprintf("#!/bin/sh\n%v\n", healthy),
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	ran := false
	for _, step := range wf.Jobs["smoke"].Steps {
		if step.Run == "" {
			continue
		}
		if step.Env["REVISION"] != "${{ github.event.client_payload.metadata.revision }}" {
			t.Errorf("the step is told %v", step.Env)
		}
		ran = true
		cmd := exec.CommandContext(t.Context(), bash, "-e", "-c", step.Run)
		cmd.Dir = dir
		cmd.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "GITHUB_REPOSITORY=" + sceneOwner + "/gitops", "REVISION=main@sha1:" + commit}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	asked, err := os.ReadFile(filepath.Join(dir, "asked"))
	if err != nil || !ran {
		t.Fatalf("the workflow asks GitHub for nothing: %v", err)
	}
	var out posted
	for i, arg := range strings.Split(strings.TrimSpace(string(asked)), "\n") {
		key, value, _ := strings.Cut(arg, "=")
		switch {
		case i == 1 && arg != "repos/"+sceneOwner+"/gitops/statuses/"+commit:
			t.Errorf("the status goes to %s", arg)
		case key == "state":
			out.state = value
		case key == "context":
			out.context = value
		}
	}
	return out
}
