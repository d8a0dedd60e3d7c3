package console

import (
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"
)

// session is an item of GET /sessions.
type session struct {
	SID       string `json:"sid"`
	Subject   string `json:"sub"`
	Kind      string `json:"kind"`
	ClientID  string `json:"client_id"`
	StartedAt string `json:"started_at"`
	RotatedAt string `json:"rotated_at"`
	ExpiresAt string `json:"expires_at"`
	Client    string `json:"client"`
	UserAgent string `json:"user_agent"`
}

// wallet is an item of GET /wallets.
type wallet struct {
	Account   string `json:"account"`
	WalletID  string `json:"wallet_id"`
	Address   string `json:"wallet_address"`
	Algorithm string `json:"algorithm"`
	LinkedAt  string `json:"linked_at"`
}

// list is a page of a list.
type list[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next"`
}

// listOf gets a list from the API with the token of a person.
func listOf[T any](p *Pages, c echo.Context, who *person, path string) (found list[T], err error) {
	err = p.api.call(c, http.MethodGet, path, who.token, nil, &found)
	return found, err
}

type accountView struct {
	Sessions, Applications []session
	More                   bool // there are more sessions than these
	Wallets                []wallet
	HasWallets             bool // the person can use GET /wallets
}

// account handles GET /account: the person's sessions, applications and wallets.
func (p *Pages) account(c echo.Context, who *person) error {
	query := url.Values{"limit": {"100"}, "sub": {who.Subject}}
	found, err := listOf[session](p, c, who, "/sessions?"+query.Encode())
	if err != nil {
		return err
	}
	own := accountView{More: found.Next != ""}
	for _, s := range found.Items {
		if s.ClientID != "" && s.ClientID != p.settings.ClientIDOrAudience() {
			own.Applications = append(own.Applications, s)
		} else {
			own.Sessions = append(own.Sessions, s)
		}
	}
	switch wallets, err := listOf[wallet](p, c, who, "/wallets"); {
	case err == nil:
		own.HasWallets, own.Wallets = true, wallets.Items
	case !isStatus(err, http.StatusNotFound) && !isStatus(err, http.StatusForbidden) && !isStatus(err, http.StatusMethodNotAllowed):
		return err
	}
	return p.show(c, who, "account", "My account", own)
}

// endOwn handles the form of an end button on the account page.
func (p *Pages) endOwn(c echo.Context, who *person) (next, said string, err error) {
	if id := c.FormValue("wallet"); id != "" {
		err := p.api.call(c, http.MethodDelete, "/wallets/"+url.PathEscape(id), who.token, nil, nil)
		return accountPath, "The wallet is not linked any more.", err
	}
	err = p.api.call(c, http.MethodDelete, "/sessions/"+url.PathEscape(c.FormValue("sid")), who.token, nil, nil)
	return accountPath, "The session has ended.", err
}
