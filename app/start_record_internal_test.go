package app

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestHandlersOfThisProjectAreNotTheApplications(t *testing.T) {
	for handler, own := range map[string]bool{
		projectPath + "app.(*health).live-fm":               true,
		projectPath + "serverauth.handler.func1":            true,
		projectPath + "serverauth/web.(*Docs).page-fm":      true,
		projectPath + "serverauthority.handler":             false,
		projectPath + "application.handler":                 false,
		"example.org/" + projectPath + "serverauth.handler": false,
		"main.hello": false,
	} {
		assert.Equal(t, own, isOwnHandler(handler), handler)
	}
}
