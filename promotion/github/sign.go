package github

// The App's signature: a JWT, RS256, valid for minutes ("Generating a JSON Web
// Token (JWT) for a GitHub App"). ghinstallation makes the claims with the
// machine's clock; here they are stamped again with the App's clock, thirty
// seconds back, because GitHub refuses signatures of the future.

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v4"
)

const (
	signatureSkew = 30 * time.Second
	signatureLife = 2 * time.Minute
)

// signer is a ghinstallation.Signer.
type signer struct {
	key *rsa.PrivateKey
	now func() time.Time
}

func newSigner(pem []byte, now func() time.Time) (*signer, error) {
	key, err := jwt.ParseRSAPrivateKeyFromPEM(pem)
	if err != nil {
		// The parser's own words never hold the key, but say nothing to people.
		return nil, fmt.Errorf("the App's private key cannot be read (%w); it is the .pem file from the App's settings page", err)
	}
	return &signer{key: key, now: now}, nil
}

// Sign signs the claims as of now.
func (s *signer) Sign(claims jwt.Claims) (string, error) {
	registered, is := claims.(*jwt.RegisteredClaims)
	if !is {
		return "", errors.New("signing as the App: claims of an unknown kind")
	}
	issued := s.now().Add(-signatureSkew).Truncate(time.Second)
	stamped := *registered
	stamped.IssuedAt = jwt.NewNumericDate(issued)
	stamped.ExpiresAt = jwt.NewNumericDate(issued.Add(signatureLife))
	signed, err := jwt.NewWithClaims(jwt.SigningMethodRS256, &stamped).SignedString(s.key)
	if err != nil {
		return "", fmt.Errorf("signing as the App: %w", err)
	}
	return signed, nil
}
