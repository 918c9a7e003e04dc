package githubsim

// Who asks, and may they? Three kinds of credentials: an App's JWT, an
// installation token, a user's token (Authenticating to the REST API). The
// same tokens are git's passwords.

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v4"
)

// tokenLife is how long an installation token lives.
const tokenLife = time.Hour

// identity is who a request comes from. Anonymous is the zero value.
type identity struct {
	secret string
	app    *app   // by JWT
	client *app   // by client id and secret
	token  *token // by token
}

// installation is that of an installation token, or nil.
func (i identity) installation() *installation {
	if i.token == nil {
		return nil
	}
	return i.token.installation
}

// actor is the account that acts: the user, or the App's bot.
func (i identity) actor() *user {
	switch {
	case i.token == nil:
		return nil
	case i.token.installation != nil:
		return i.token.installation.app.bot
	default:
		return i.token.user
	}
}

// appID is the id of the App that acts, or 0.
func (i identity) appID() int64 {
	if inst := i.installation(); inst != nil {
		return inst.app.ID
	}
	return 0
}

// identify reads the credentials of a request.
func (s *Server) identify(c *call) error {
	if c.who.client = s.clientOf(c.r); c.who.client != nil {
		return nil
	}
	secret, err := secretOf(c.r)
	if err != nil || secret == "" {
		return err
	}
	c.who, err = s.identityOf(secret)
	c.actor = c.who.actor()
	return err
}

// secretOf takes the token out of the Authorization header.
func secretOf(r *http.Request) (string, error) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return "", nil
	}
	scheme, rest, _ := strings.Cut(header, " ")
	switch strings.ToLower(scheme) {
	case "bearer", "token":
		return strings.TrimSpace(rest), nil
	case "basic":
		name, password, found := r.BasicAuth()
		if !found {
			return "", badCredentials()
		}
		if password == "" || password == "x-oauth-basic" {
			return name, nil
		}
		return password, nil
	}
	return "", badCredentials()
}

// identityOf finds out whose a token is, and whether it still holds.
func (s *Server) identityOf(secret string) (identity, error) {
	if strings.HasPrefix(secret, "ey") && strings.Count(secret, ".") == 2 {
		a, err := s.appOfJWT(secret)
		return identity{secret: secret, app: a}, err
	}
	t := s.tokens[secret]
	if t == nil || t.revoked || (!t.expiresAt.IsZero() && !s.clock().Before(t.expiresAt)) {
		return identity{}, badCredentials()
	}
	if inst := t.installation; inst != nil {
		if s.installations[inst.id] != inst {
			return identity{}, badCredentials()
		}
		if !inst.suspendedAt.IsZero() {
			return identity{}, forbidden("This installation has been suspended")
		}
	}
	return identity{secret: secret, token: t}, nil
}

// appOfJWT verifies an App's JWT: RS256, iss the App's id or client id, exp at
// most ten minutes ahead, iat not in the future (Generating a JWT for a GitHub App).
func (s *Server) appOfJWT(secret string) (*app, error) {
	var found *app
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithoutClaimsValidation(), jwt.WithJSONNumber())
	parsed, err := parser.Parse(secret, func(t *jwt.Token) (any, error) {
		claims, is := t.Claims.(jwt.MapClaims)
		if !is {
			return nil, errors.New("no claims")
		}
		issuer := fmt.Sprint(claims["iss"])
		for _, a := range s.apps {
			if a.key != nil && (issuer == strconv.FormatInt(a.ID, 10) || issuer == a.ClientID) {
				found = a
				return a.publicKey(), nil
			}
		}
		return nil, errNoSuchApp
	})
	switch {
	case errors.Is(err, errNoSuchApp):
		return nil, &apiError{status: http.StatusNotFound, message: "Integration not found"}
	case err != nil:
		return nil, unauthorized("A JSON web token could not be decoded")
	}
	claims, _ := parsed.Claims.(jwt.MapClaims)
	now := s.clock()
	issued, hasIssued := claimTime(claims["iat"])
	expires, hasExpires := claimTime(claims["exp"])
	switch {
	case !hasExpires:
		return nil, unauthorized("Missing 'expiration time' claim ('exp') in assertion")
	case !hasIssued:
		return nil, unauthorized("Missing 'issued at' claim ('iat') in assertion")
	case issued.After(now.Add(time.Second)):
		return nil, unauthorized("'Issued at' claim ('iat') must be an Integer representing a time in the past")
	case !expires.After(now):
		return nil, unauthorized("'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires")
	case expires.After(now.Add(10*time.Minute + time.Second)):
		return nil, unauthorized("'Expiration time' claim ('exp') is too far in the future")
	}
	return found, nil
}

var errNoSuchApp = errors.New("no such App")

// claimTime reads a claim in seconds since 1970.
func claimTime(claim any) (time.Time, bool) {
	seconds, err := strconv.ParseFloat(fmt.Sprint(claim), 64)
	if claim == nil || err != nil {
		return time.Time{}, false
	}
	return time.Unix(int64(seconds), 0), true
}

func (a *app) publicKey() *rsa.PublicKey { return &a.key.PublicKey }

// admit settles the repository of a call and whether who may do this to it.
func (s *Server) admit(c *call, path string) error {
	n := c.route.need
	if n.client {
		if c.who.client == nil {
			return notFound()
		}
		return nil
	}
	if n.jwt && c.who.app == nil {
		return unauthorized("A JSON web token could not be decoded")
	}
	if !n.jwt && c.who.app != nil {
		return forbidden("Resource not accessible by integration")
	}
	if n.login && c.who.secret == "" {
		return unauthorized("Requires authentication")
	}
	if n.installation && c.who.installation() == nil {
		return forbidden("You must authenticate with an installation access token in order to list repositories for an installation.")
	}
	if strings.HasPrefix(c.route.pattern, "/repos/{owner}/{repo}") {
		return s.admitToRepository(c, path)
	}
	if c.who.installation() != nil && len(n.app) > 0 && !c.who.token.allows(n.app) {
		return notForIntegration()
	}
	return nil
}

// admitToRepository is admit for the operations of a repository. What the
// caller may not see is 404, what it may not do 403.
func (s *Server) admitToRepository(c *call, path string) error {
	n := c.route.need
	r := s.repository(c.params["owner"], c.params["repo"])
	if r == nil || r.deleted {
		return notFound()
	}
	if c.who.app != nil { // an App by JWT sees where it is installed
		c.repo = r
		return nil
	}
	if !s.maySee(c.who, r) {
		return notFound()
	}
	if !strings.EqualFold(r.fullName(), c.params["owner"]+"/"+c.params["repo"]) {
		return movedPermanently(s, c, r, path)
	}
	if t := c.who.token; t != nil && t.installation != nil {
		// Reading what is public needs no installation.
		publicRead := !r.private && c.r.Method == http.MethodGet && !t.reaches(r)
		if !publicRead && (!t.reaches(r) || !t.allows(n.app)) {
			return notForIntegration()
		}
	} else if !s.appMay(t, r, c.r.Method == http.MethodGet, n.app) {
		return notForIntegration()
	} else if role := r.visible(c.actor); role < n.role {
		if n.role == RoleAdmin {
			return forbidden("Must have admin rights to Repository.")
		}
		return notFound()
	}
	if n.write && r.archived {
		return forbidden("Repository was archived so is read-only.")
	}
	c.repo = r
	return nil
}

// movedPermanently redirects from a repository's former name.
func movedPermanently(s *Server, c *call, r *repository, path string) error {
	segments := strings.SplitN(strings.Trim(path, "/"), "/", 4)
	target := fmt.Sprintf("%s/api/v3/repositories/%d", s.url, r.id)
	if len(segments) == 4 {
		target += "/" + segments[3]
	}
	if q := c.r.URL.RawQuery; q != "" {
		target += "?" + q
	}
	status := http.StatusMovedPermanently
	if c.r.Method != http.MethodGet {
		status = http.StatusTemporaryRedirect
	}
	return &apiError{status: status, message: "Moved Permanently", header: http.Header{"Location": {target}}}
}

// maySee tells whether a repository exists for who asks.
func (s *Server) maySee(who identity, r *repository) bool {
	if r.deleted {
		return false
	}
	if !r.private {
		return true
	}
	if t := who.token; t != nil && t.installation != nil {
		return t.reaches(r)
	}
	return s.appMay(who.token, r, true, nil) && r.roleOf(who.actor()) >= RoleRead
}

// reaches tells whether an installation token is for the repository.
func (t *token) reaches(r *repository) bool {
	if !t.installation.covers(r) {
		return false
	}
	if t.repositories == nil {
		return true
	}
	_, chosen := t.repositories[r.id]
	return chosen
}

var permissionLevels = []string{"", "read", "write", "admin"}

// allows tells whether one of the permissions ("contents:write") is granted.
// No permission at all means metadata, which every token has.
func (t *token) allows(anyOf []string) bool {
	if len(anyOf) == 0 {
		return true
	}
	return slices.ContainsFunc(anyOf, func(p string) bool {
		name, level, _ := strings.Cut(p, ":")
		if name == "metadata" && level == "read" {
			return true
		}
		return slices.Index(permissionLevels, t.permissions[name]) >= slices.Index(permissionLevels, level)
	})
}
