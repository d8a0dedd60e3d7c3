package oauth

import (
	"context"
	"strconv"
	"time"
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
	k := *answer.Code
	if signedIn, err := s.sessions.Exists(ctx, k.ProofOf); err != nil {
		return nil, err
	} else if !signedIn {
		k.ProofOf = "" // the person has left the browser since then
	}
	return s.begin(ctx, t, k, k.Resources, func() error {
		first, err := s.used.Use(ctx, deviceKey("tokens", device.ID), nil, device.ExpiresAt)
		if err == nil && !first {
			err = errDeviceCode
		}
		return err
	})
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
