package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/oauth2"

	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/oauth/client"
)

const (
	// deviceClient is the OAuth client ID of this program for the device flow.
	deviceClient = "picoauth"
	tokenPath    = "/oauth/token"
	devicePath   = "/oauth/device_authorization"
)

// loginWithDevice signs an operator in at a browser, by the device flow (RFC 8628). It keeps the previous session until it
// has the new one.
func loginWithDevice(c *cobra.Command, file sessionFile, server string) error {
	var device oauth2.DeviceAuthResponse
	err := send(c.Context(), newHTTPClient(), http.MethodPost, server+serverauth.Prefix+devicePath, "", url.Values{"client_id": {deviceClient}}, &device)
	if refused := (*refusal)(nil); errors.As(err, &refused) && refused.Status < http.StatusInternalServerError && refused.Status != http.StatusTooManyRequests {
		return fmt.Errorf("%w; the server must have the client %s: picoauth clients add %[2]s --auth-method none --grant %s --grant %s",
			err, deviceClient, client.GrantDevice, client.GrantRefresh)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(c.ErrOrStderr(), "Open %s\nor open %s and enter the code %s\nThe code expires in %d minutes. This program goes on once you have signed in there.\n",
		printable(device.VerificationURIComplete), printable(device.VerificationURI), printable(device.UserCode), int(time.Until(device.Expiry).Round(time.Minute).Minutes()))
	stop := progress(c, "waiting for the browser", func() float64 { return -1 })
	got, err := awaitDevice(c.Context(), server, &device)
	if stop(); err != nil {
		return err
	}
	token, err := readToken(got.AccessToken)
	if err != nil {
		return err
	}
	return file.exclusively(c.Context(), func() error {
		return file.save(session{Issuer: server, Address: token.subject(), ClientID: deviceClient}.with(tokens{got.AccessToken, got.RefreshToken, got.ExpiresIn}, time.Now()))
	})
}

// awaitDevice polls for the tokens until the user has answered. After a temporary error it doubles the interval.
func awaitDevice(ctx context.Context, server string, device *oauth2.DeviceAuthResponse) (*oauth2.Token, error) {
	config := oauth2.Config{ClientID: deviceClient, Endpoint: oauth2.Endpoint{TokenURL: server + serverauth.Prefix + tokenPath, AuthStyle: oauth2.AuthStyleInParams}}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, newHTTPClient())
	for {
		got, err := config.DeviceAccessToken(ctx, device)
		refused := (*oauth2.RetrieveError)(nil)
		switch {
		case err == nil:
			return got, nil
		case errors.As(err, &refused) && refused.ErrorCode == "access_denied":
			return nil, errors.New("the sign-in was refused in the browser; nobody is signed in here")
		case !time.Now().Before(device.Expiry) || refused != nil && refused.ErrorCode == "expired_token":
			return nil, errors.New("the code expired before anybody signed in; start again: picoauth login --device")
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case refused != nil && refused.Response.StatusCode < http.StatusInternalServerError && refused.Response.StatusCode != http.StatusTooManyRequests:
			return nil, fmt.Errorf("the server answered %d: %s; start again: picoauth login --device", refused.Response.StatusCode, printable(refused.ErrorCode+" "+refused.ErrorDescription))
		}
		device.Interval *= 2
	}
}
