package oauth

import (
	"context"
	"strconv"
	"time"

	"github.com/picoauth/picoauth/serverauth/oauth/client"
	"github.com/picoauth/picoauth/serverauth/session"
	"github.com/picoauth/picoauth/serverauth/token"
)

// The errors of RFC 8628, section 3.5.
var (
	errDevicePending = &Error{Code: "authorization_pending", Description: "the person has not answered yet"}
	errDeviceSlower  = &Error{Code: "slow_down", Description: "ask again 5 seconds later than you did"}
	errDeviceDenied  = &Error{Code: "access_denied", Description: "the person did not allow it"}
	errDeviceExpired = &Error{Code: "expired_token", Description: "the device code has expired"}
	errDeviceCode    = errInvalidGrant("the device code is unknown, of another client, or used already")
)

// exchangeDevice is the grant urn:ietf:params:oauth:grant-type:device_code (RFC 8628, section 3.4).
func (s *Server) exchangeDevice(t *tokenRequest) (*granted, error) {
	ctx := t.c.Request().Context()
	text := t.form.Get("device_code")
	if text == "" {
		return nil, errInvalidRequest("device_code is missing")
	}
	var device deviceCode
	if _, ok := s.deviceCodes.open(text, &device); !ok || device.ID == "" || device.ClientID != t.client.ID {
		return nil, errDeviceCode
	}
	if t.began.UnixMilli() >= device.ExpiresAt {
		return nil, errDeviceExpired
	}
	if err := s.pace(ctx, device, t.began); err != nil {
		return nil, err
	}
	note, answered, err := s.used.Note(ctx, deviceKey("answer", device.ID))
	switch {
	case err != nil:
		return nil, err
	case !answered:
		return nil, errDevicePending
	}
	var answer deviceAnswer
	if _, ok := s.deviceAnswers.open(string(note), &answer); !ok || answer.ID != device.ID {
		return nil, errDeviceCode
	}
	if answer.Code == nil {
		return nil, errDeviceDenied
	}
	return s.startDevice(ctx, t, device, answer.Code)
}

// pace refuses a program that polls more than once in an interval of devicePause.
func (s *Server) pace(ctx context.Context, device deviceCode, now time.Time) error {
	slot := strconv.FormatInt(now.UnixMilli()/devicePause.Milliseconds(), 10)
	first, err := s.used.Use(ctx, deviceKey("question", device.ID, slot), nil, now.Add(2*devicePause).UnixMilli())
	if err == nil && !first {
		err = errDeviceSlower
	}
	return err
}

// startDevice begins the session that the person allowed, only once.
func (s *Server) startDevice(ctx context.Context, t *tokenRequest, device deviceCode, k *code) (*granted, error) {
	access := s.access(t.client, k.Scope, k.Resources)
	begun, err := s.sessions.StartGranted(ctx, session.Granted{
		ID: k.SID, Subject: k.Subject, From: t.origin(k.RequestID), Since: time.UnixMilli(k.IssuedAt),
		Grant:   token.Grant{ClientID: t.client.ID, Scope: k.Scope, Resources: k.Resources, AuthTime: k.AuthTime},
		Access:  access,
		Refresh: t.client.AllowsGrant(client.GrantRefresh) || has(k.Scope, scopeOffline),
		Settle: func() error {
			if err := t.proof.Spend(ctx); err != nil {
				return err
			}
			first, err := s.used.Use(ctx, deviceKey("tokens", device.ID), nil, device.ExpiresAt)
			if err == nil && !first {
				err = errDeviceCode
			}
			return err
		},
	})
	if err != nil {
		return nil, err
	}
	return s.reply(ctx, begun, access, "")
}
