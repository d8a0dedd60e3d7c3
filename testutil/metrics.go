package testutil

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Scrape fetches the metrics of an app, or of its admin port, as Prometheus does. A series is named as it is written,
// with its labels in alphabetical order:
//
//	picoauth_sign_ins_total{algorithm="Ed25519",outcome="success"}
func Scrape(ctx context.Context, baseURL string) (map[string]float64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, baseURL+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusOK {
		return nil, &StatusError{Status: reply.StatusCode}
	}
	series := make(map[string]float64)
	lines := bufio.NewScanner(reply.Body)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		end := strings.LastIndexByte(lines.Text(), ' ')
		value, err := strconv.ParseFloat(lines.Text()[end+1:], 64)
		if err != nil || end < 0 {
			return nil, fmt.Errorf("testutil: %.200q is no sample", lines.Text())
		}
		series[lines.Text()[:end]] = value
	}
	return series, lines.Err()
}
