package githubsim

import (
	"net/http"
	"strings"
)

// isGitPath tells git's own requests from those for pages.
func isGitPath(path string) bool {
	return strings.HasSuffix(path, "/info/refs") || strings.HasSuffix(path, "/git-upload-pack") || strings.HasSuffix(path, "/git-receive-pack")
}

func (s *Server) serveGit(w http.ResponseWriter, r *http.Request) {
	http.NotFound(w, r)
}
