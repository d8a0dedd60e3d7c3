package verify

import (
	"context"
	"slices"
)

// RoleResolver decides which roles a caller has. Every request calls it after the token was verified, also for a cached
// token, so that roles from a database are current. An error results in a 503 reply.
type RoleResolver interface {
	// ResolveRoles returns the roles of caller, the most important first. It must not change caller.
	ResolveRoles(ctx context.Context, caller *SecurityContext) ([]string, error)
}

// ClaimRoles is the default [RoleResolver]: the value at the issuer's RolePath or, without a RolePath, the claim role and
// then the claim roles.
type ClaimRoles struct{}

// ResolveRoles implements [RoleResolver].
func (ClaimRoles) ResolveRoles(_ context.Context, caller *SecurityContext) ([]string, error) {
	return claimSet(caller.Claims).roles(caller.rolePath), nil
}

// roles returns the roles at a path or, without a path, those of the claims role and roles.
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

// resolve returns caller with the roles of resolver. nil is the default resolver, whose roles caller already has.
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
