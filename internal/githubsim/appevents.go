package githubsim

// Events about an App and its installations. They come to the App whether it
// is subscribed or not (Webhook events and payloads: installation).

// emitInstallation tells an App about its installation.
func (s *Server) emitInstallation(inst *installation, action string) {
	var brief []obj
	for _, r := range s.sortedRepositories() {
		if inst.covers(r) {
			brief = append(brief, r.briefJSON())
		}
	}
	s.emitTo(inst.app, inst.id, "installation", action, obj{
		"installation": s.installationJSON(inst), "repositories": append([]obj{}, brief...),
		"requester": nil, "sender": s.userJSON(inst.account),
	})
}

// emitInstallationRepositories tells an App about repositories that its
// installation got or lost.
func (s *Server) emitInstallationRepositories(inst *installation, action string, changed []*repository, sender *user) {
	payload := obj{
		"installation": s.installationJSON(inst), "repositories_added": []obj{}, "repositories_removed": []obj{},
		"repository_selection": s.installationJSON(inst)["repository_selection"], "requester": nil,
		"sender": s.userJSON(sender),
	}
	payload["repositories_"+action] = render(changed, (*repository).briefJSON)
	s.emitTo(inst.app, inst.id, "installation_repositories", action, payload)
}

// briefJSON is a repository as events about installations name it.
func (r *repository) briefJSON() obj {
	return obj{
		"id": r.id, "node_id": nodeID("Repository", r.id), "name": r.name, "full_name": r.fullName(), "private": r.private,
	}
}

// pingJSON is the first webhook of an App.
func (s *Server) pingJSON(a *app) obj {
	return obj{
		"zen": "Design for failure.", "hook_id": a.hookID,
		"hook": obj{
			"type": "App", "id": a.hookID, "name": "web", "active": true, "events": nonNil(a.events), "app_id": a.ID,
			"config":     obj{"content_type": "json", "insecure_ssl": "0", "url": a.WebhookURL, "secret": "********"},
			"created_at": stamp(a.createdAt), "updated_at": stamp(a.createdAt),
			"deliveries_url": s.api("/app/hook/deliveries"),
		},
	}
}
