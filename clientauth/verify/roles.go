package verify

import (
	"context"
	"slices"
)

// RoleResolver says which roles a caller has. It is asked on every request after the token was verified, cached or not,
// so that an answer from a database is never older than the request. An error is answered 503.
type RoleResolver interface {
	// ResolveRoles returns the roles of caller, the most important first. It must not change caller.
	ResolveRoles(ctx context.Context, caller *SecurityContext) ([]string, error)
}

// ClaimRoles is the default [RoleResolver]: the claim role, then the claim roles; or what is at the issuer's RolePath.
type ClaimRoles struct{}

// ResolveRoles implements [RoleResolver].
func (ClaimRoles) ResolveRoles(_ context.Context, caller *SecurityContext) ([]string, error) {
	return claimSet(caller.Claims).roles(caller.rolePath), nil
}

// roles returns those at a path, or, without one, those of the claims role and roles.
func (c claimSet) roles(path string) []string {
	if path != "" {
		return texts(c.at(path))
	}
	roles := c.texts("role")
	for _, role := range c.texts("roles") {
		if !slices.Contains(roles, role) {
			roles = append(roles, role)
		}
	}
	return roles
}

func (s *SecurityContext) setRoles(roles []string) {
	s.Roles, s.Role = roles, ""
	if len(roles) > 0 {
		s.Role = roles[0]
	}
}

// resolve returns caller with the roles of resolver; nil is the default, whose answer caller has already.
func resolve(ctx context.Context, resolver RoleResolver, caller *SecurityContext) (*SecurityContext, error) {
	if resolver == nil {
		return caller, nil
	}
	roles, err := resolver.ResolveRoles(ctx, caller)
	if err != nil {
		return nil, because(ErrRolesUnavailable, "%w", err)
	}
	own := *caller
	own.setRoles(roles)
	return &own, nil
}
