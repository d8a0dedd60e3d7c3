package serverauth

import (
	"cmp"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/serverauth/token"
)

// Limits of the claims of a fleet token. Their sum keeps the token below the sizes that validators and proxies accept.
const (
	maxFleetIDLength = 256  // characters
	maxFleetScope    = 1024 // bytes
	maxFleetList     = 64   // items
	maxFleetClaims   = 4096 // bytes of all claims together
)

// fleetRequest is the body of POST /fleet/sessions. Everything but the two ids is optional.
type fleetRequest struct {
	SessionID string       `json:"session_id"`
	AgentID   string       `json:"agent_id"`
	Role      string       `json:"role"`
	TTL       wholeSeconds `json:"ttl"`
	Scope     string       `json:"scope"`

	Scopes         []string     `json:"scopes"`
	TaskType       string       `json:"task_type"`
	UserID         string       `json:"user_id"`
	OrganisationID string       `json:"org_id"`
	ConversationID string       `json:"conversation_id"`
	TaskID         string       `json:"task_id"`
	SpendLimit     token.Scalar `json:"spend_limit"`
	ParentChain    []string     `json:"parent_chain"`
}

func (r fleetRequest) token(ttl time.Duration) token.Request {
	return token.Request{
		Subject: r.SessionID, SessionID: r.SessionID, Role: r.Role, Scope: r.Scope, TTL: ttl, Kind: store.KindFleet, AgentID: r.AgentID,
		Scopes: r.Scopes, TaskType: r.TaskType, UserID: r.UserID, OrganisationID: r.OrganisationID,
		ConversationID: r.ConversationID, TaskID: r.TaskID, SpendLimit: r.SpendLimit, ParentChain: r.ParentChain,
	}
}

func invalidField(detail string) *app.Problem {
	return app.NewProblem(http.StatusBadRequest, "invalid_field", detail)
}

func (f *fleetFlow) check(r *fleetRequest) error {
	r.Role = cmp.Or(r.Role, defaultFleetRole)
	switch {
	case r.SessionID == "" || r.AgentID == "":
		return app.NewProblem(http.StatusBadRequest, "missing_field", "session_id and agent_id required")
	case !isFleetID(r.SessionID) || !isFleetID(r.AgentID):
		return invalidField("session_id and agent_id are at most 256 printable characters without white space around them")
	case len(r.Scope) > maxFleetScope || !isPrintable(r.Scope, ' '):
		return invalidField("scope is at most 1024 printable ASCII characters")
	case f.namesSomebodyElse(r.SessionID):
		return app.NewProblem(http.StatusBadRequest, "invalid_session_id",
			"session_id must not have the shape of an e-mail or a wallet address")
	case !slices.Contains(f.settings.FleetRoles, r.Role):
		return app.NewProblem(http.StatusForbidden, "role_not_allowed", "role is not among fleet_roles")
	default:
		return r.checkTask()
	}
}

// checkTask checks the claims about the agent's task.
func (r *fleetRequest) checkTask() error {
	size := len(r.SessionID) + len(r.AgentID) + len(r.Scope) + len(r.SpendLimit)
	for _, field := range []struct{ name, value string }{
		{"task_type", r.TaskType}, {"user_id", r.UserID}, {"org_id", r.OrganisationID},
		{"conversation_id", r.ConversationID}, {"task_id", r.TaskID}, {"spend_limit", r.SpendLimit.Text()},
	} {
		if field.value != "" && !isFleetID(field.value) {
			return invalidField(field.name + " is at most 256 printable characters without white space around them")
		}
		size += len(field.value)
	}
	for _, list := range []struct {
		name  string
		items []string
		good  func(string) bool
	}{{"scopes", r.Scopes, isScopeToken}, {"parent_chain", r.ParentChain, isFleetID}} {
		if len(list.items) > maxFleetList {
			return invalidField(list.name + " has at most 64 items")
		}
		for _, item := range list.items {
			if item == "" || !list.good(item) {
				return invalidField(list.name + " holds an item that is empty, too long or not printable")
			}
			size += len(item)
		}
	}
	if size > maxFleetClaims {
		return invalidField("the fields of an agent have at most 4096 bytes together")
	}
	return nil
}

// isFleetID reports whether text is at most 256 characters of printable Unicode, with spaces only inside.
func isFleetID(text string) bool {
	return utf8.RuneCountInString(text) <= maxFleetIDLength && text == strings.TrimSpace(text) &&
		!strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}

// isScopeToken reports whether text is a scope-token (RFC 6749, section 3.3) no longer than an id may be.
func isScopeToken(text string) bool {
	return len(text) <= maxFleetIDLength && isPrintable(text, '!') && !strings.ContainsAny(text, `"\`)
}

// isPrintable reports whether text is ASCII from the given character to the tilde.
func isPrintable(text string, from byte) bool {
	for i := range len(text) {
		if text[i] < from || text[i] > '~' {
			return false
		}
	}
	return true
}

// namesSomebodyElse reports whether a session id, which becomes the `sub`, could be mistaken for another kind of subject: an
// e-mail (with any Unicode form of @), the administrator, or a wallet address of any scheme.
func (f *fleetFlow) namesSomebodyElse(id string) bool {
	return strings.ContainsAny(id, "@\uff20\ufe6b") || strings.EqualFold(id, f.settings.AdminEmail) || looksLikeAddress(id, f.schemes)
}

// wholeSeconds is a JSON number without a fraction (90, 90.0), or a string that contains one ("90").
type wholeSeconds int64

var errNotWhole = errors.New("not a whole number")

// UnmarshalJSON implements json.Unmarshaler.
func (s *wholeSeconds) UnmarshalJSON(value []byte) error {
	text := string(value)
	if text == "null" {
		return nil
	}
	if text[0] == '"' {
		if err := json.Unmarshal(value, &text); err != nil {
			return err
		}
	}
	number, err := strconv.ParseFloat(text, 64)
	if err != nil || number != math.Trunc(number) || strings.Trim(text, "+-.0123456789eE") != "" {
		return errNotWhole
	}
	const most = 1 << 60 // far above every limit, and small enough for the conversion
	*s = wholeSeconds(min(max(number, -most), most))
	return nil
}
