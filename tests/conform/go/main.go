// Command conform holds a broker against what the Go client amqp091-go expects of one.
//
// Every case runs on connections of its own and prints `ok NAME` or `FAIL NAME: reason`.
// Words on the command line choose the cases whose name contains one of them; CONFORM_LATER names those that
// are left out, because they are ahead of the broker.
package main

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// wholeRun is when no further case is begun: a broker that answers nothing costs the deadline of every case.
const wholeRun = 180 * time.Second

// play is one case: a name and the steps, which fail by scene.fail.
type play struct {
	name  string
	steps func(*scene)
}

func main() {
	var plays []play
	for _, group := range [][]play{
		connectionPlays, declarePlays, routingPlays, deliveryPlays, publishPlays, transactionPlays, messagePlays,
	} {
		plays = append(plays, group...)
	}
	end := time.Now().Add(wholeRun)
	ran, failed := 0, 0
	for _, p := range plays {
		if !chosen(p.name, os.Args[1:]) {
			continue
		}
		ran++
		if isLater(p.name) {
			fmt.Printf("later go/%s\n", p.name)
			continue
		}
		reasons := []string{fmt.Sprintf("not begun, the run has taken %s", wholeRun)}
		if time.Now().Before(end) {
			reasons = run(p)
		}
		if len(reasons) == 0 {
			fmt.Printf("ok go/%s\n", p.name)
			continue
		}
		failed++
		fmt.Printf("FAIL go/%s: %s\n", p.name, strings.Join(strings.Fields(strings.Join(reasons, "; ")), " "))
	}
	if ran == 0 {
		fmt.Printf("FAIL go/run: no case is named like %s\n", strings.Join(os.Args[1:], ", "))
	}
	if failed > 0 || ran == 0 {
		os.Exit(1)
	}
}

func isLater(name string) bool {
	for _, later := range strings.Fields(os.Getenv("CONFORM_LATER")) {
		if name == later {
			return true
		}
	}
	return false
}

func chosen(name string, words []string) bool {
	for _, word := range words {
		if strings.Contains(name, word) {
			return true
		}
	}
	return len(words) == 0
}

// run plays one case and its cleaning up, and returns why they failed.
func run(p play) (reasons []string) {
	s := newScene(p.name)
	for _, steps := range []func(*scene){p.steps, (*scene).clean} {
		if reason := s.within(steps); reason != "" {
			reasons = append(reasons, reason)
		}
	}
	s.drop()
	return reasons
}
