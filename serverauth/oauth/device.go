package oauth

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/serverauth/internal/mac"
	"github.com/picoauth/picoauth/serverauth/oauth/client"
)

// The device authorization grant (RFC 8628): a program without a browser shows a code. The person enters it in a browser on another
// device, and allows the request there with the wallet's signature. Meanwhile the program polls the token endpoint.
//
// Two records are kept until the code expires: the program's request under the user code, and the person's answer under the
// device's id. Both have a MAC, and each is written once.
const (
	deviceTTL = 10 * time.Minute
	// devicePause is the minimum time between two polls of a program.
	devicePause = 5 * time.Second
	// userCodeLetters has no vowels, so that no code is a word. userCodeSize of these letters have 34 bits.
	userCodeLetters = "BCDFGHJKLMNPQRSTVWXZ"
	userCodeSize    = 8
	maxDeviceCode   = 8 << 10 // bytes of a sealed text
)

// deviceRequest is a program's request, kept under the user code.
type deviceRequest struct {
	ID        string   `json:"id"` // random, known to the program and the server
	UserCode  string   `json:"user_code"`
	ClientID  string   `json:"client_id"`
	Scope     []string `json:"scope"`
	Resources []string `json:"resource"`
	ExpiresAt int64    `json:"exp"` // Unix milliseconds
}

// deviceCode is the content of the device_code, which is sealed.
type deviceCode struct {
	ID        string `json:"id"`
	ClientID  string `json:"client_id"`
	ExpiresAt int64  `json:"exp"`
}

type deviceReply struct {
	DeviceCode              string `json:"device_code"`
	UserCode                string `json:"user_code"`
	VerificationURI         string `json:"verification_uri"`
	VerificationURIComplete string `json:"verification_uri_complete"`
	ExpiresIn               int64  `json:"expires_in"` // seconds
	Interval                int64  `json:"interval"`   // seconds
}

// registerDevice adds the endpoints of the device flow. POST is limited by address, because a user code is short.
func (s *Server) registerDevice(e *echo.Echo) {
	s.post(e, "/device_authorization", s.core.Anonymous("/oauth/device_authorization", s.forClients(s.deviceAuthorization)))
	s.get(e, "/device", s.core.Handler(s.devicePage))
	s.post(e, "/device", s.core.Anonymous("/oauth/device", s.deviceEntered))
}

// deviceAuthorization is POST /device_authorization.
func (s *Server) deviceAuthorization(r clientRequest) (any, error) {
	if !r.client.AllowsGrant(client.GrantDevice) {
		return nil, errUnauthorizedClient("the client may not use the device flow")
	}
	scope, resources, err := s.catalogue.grant(r.form, r.client)
	if err != nil {
		return nil, err
	}
	asked := &deviceRequest{ID: randomID(), ClientID: r.client.ID, Scope: scope, Resources: resources, ExpiresAt: s.now().Add(deviceTTL).UnixMilli()}
	if err := s.keepDevice(r.Request().Context(), asked); err != nil {
		return nil, err
	}
	text, _, err := s.deviceCodes.seal(deviceCode{asked.ID, r.client.ID, asked.ExpiresAt})
	if err != nil {
		return nil, err
	}
	shown := asked.UserCode[:userCodeSize/2] + "-" + asked.UserCode[userCodeSize/2:]
	return deviceReply{
		DeviceCode: text, UserCode: shown, VerificationURI: s.base + "/device", VerificationURIComplete: s.base + "/device?user_code=" + shown,
		ExpiresIn: int64(deviceTTL / time.Second), Interval: int64(devicePause / time.Second),
	}, nil
}

// userCodeTries is how many user codes are tried until one is not in use.
const userCodeTries = 5

// keepDevice stores a request under a new user code.
func (s *Server) keepDevice(ctx context.Context, asked *deviceRequest) error {
	for range userCodeTries {
		asked.UserCode = newUserCode()
		note, _, err := s.deviceRequests.seal(asked)
		if err != nil {
			return err
		}
		if first, err := s.used.Use(ctx, deviceKey("user code", asked.UserCode), []byte(note), asked.ExpiresAt); err != nil || first {
			return err
		}
	}
	return &Error{Code: "temporarily_unavailable", Description: "too many devices are asking for codes now", Status: http.StatusServiceUnavailable, Header: retryLater}
}

func newUserCode() string {
	code := make([]byte, userCodeSize)
	for i := range code {
		n, _ := rand.Int(rand.Reader, big.NewInt(int64(len(userCodeLetters)))) // never fails: crypto/rand ends the program instead
		code[i] = userCodeLetters[n.Int64()]
	}
	return string(code)
}

// readUserCode reads what a person typed: letter case, spaces and dashes do not matter.
func readUserCode(text string) (code string, ok bool) {
	if len(text) > 4*userCodeSize {
		return "", false
	}
	code = strings.Map(func(char rune) rune {
		if char == '-' || char == ' ' {
			return -1
		}
		return char
	}, strings.ToUpper(text))
	if len(code) != userCodeSize || strings.Trim(code, userCodeLetters) != "" {
		return "", false
	}
	return code, true
}

// deviceKey is the key of a device's record in the store.
func deviceKey(kind string, texts ...string) [32]byte {
	return sha256.Sum256(mac.Fields{}.Texts(append([]string{"device " + kind}, texts...)...))
}

// deviceOf returns the request of a user code. The error is errUserCode if it cannot be answered any more, or never could.
func (s *Server) deviceOf(ctx context.Context, userCode string) (*deviceRequest, error) {
	note, used, err := s.used.Note(ctx, deviceKey("user code", userCode))
	if err != nil || !used {
		return nil, cmp.Or(err, error(errUserCode))
	}
	asked := new(deviceRequest)
	if _, ok := s.deviceRequests.open(string(note), asked); !ok || asked.UserCode != userCode || asked.ExpiresAt <= s.now().UnixMilli() {
		return nil, errUserCode
	}
	if _, answered, err := s.used.Note(ctx, deviceKey("answer", asked.ID)); err != nil || answered {
		return nil, cmp.Or(err, error(errUserCode))
	}
	return asked, nil
}

// deviceAnswer is the person's answer, kept under the device's id.
type deviceAnswer struct {
	ID   string `json:"id"`
	Code *code  `json:"code"` // what was allowed; nil: nothing
}

// errDeviceAnswered is for the second answer to a request.
var errDeviceAnswered = &errPage{"This code was used already", "Start again at your device."}

// answerDevice stores an answer.
func (s *Server) answerDevice(ctx context.Context, r *request, allowed *code) error {
	note, _, err := s.deviceAnswers.seal(deviceAnswer{r.Device, allowed})
	if err != nil {
		return err
	}
	first, err := s.used.Use(ctx, deviceKey("answer", r.Device), []byte(note), s.now().Add(deviceTTL).UnixMilli())
	if err == nil && !first {
		err = errDeviceAnswered
	}
	return err
}

// isDeviceRequest reports whether a client may still use this device request.
func (r *request) isDeviceRequest(of *client.Client) bool {
	return r.Device != "" && r.RedirectURI == "" && slices.Contains(of.Grants, client.GrantDevice)
}
