package graphql_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/internal/githubsim/graphql"
)

type shelf struct{ books []string }

// library is a small schema: Query.shelf(max) and Query.broken, Shelf.books and
// Shelf.first, Book.title.
func library() graphql.Schema {
	t := graphql.Types{
		"Query": {
			"shelf": func(_ any, a graphql.Args) (any, error) {
				books := []string{"Ulysses", "Emma", "Kim"}
				if n, ok := a.Number("max"); ok {
					books = books[:min(n, len(books))]
				}
				return graphql.Object{Type: "Shelf", Of: shelf{books}}, nil
			},
			"broken": func(any, graphql.Args) (any, error) {
				return nil, &graphql.Error{Type: "NOT_FOUND", Message: "nothing here"}
			},
			"plainlyBroken": func(any, graphql.Args) (any, error) { return nil, errors.New("out of order") },
		},
		"Shelf": {
			"books": func(of any, a graphql.Args) (any, error) {
				var all []graphql.Object
				for _, title := range of.(shelf).books {
					all = append(all, graphql.Object{Type: "Book", Of: title})
				}
				page, err := graphql.Page(all, a)
				if err != nil {
					return nil, err
				}
				return graphql.Object{Type: "BookConnection", Of: page}, nil
			},
			"first": func(of any, _ graphql.Args) (any, error) {
				return graphql.Object{Type: "Book", Of: of.(shelf).books[0]}, nil
			},
			"all": func(of any, _ graphql.Args) (any, error) {
				var all []graphql.Object
				for _, title := range of.(shelf).books {
					all = append(all, graphql.Object{Type: "Book", Of: title})
				}
				return all, nil
			},
		},
		"Book": {"title": func(of any, _ graphql.Args) (any, error) { return of.(string), nil }},
	}
	t.AddConnection("BookConnection", "BookEdge")
	return graphql.Schema{Types: t, Implements: map[string][]string{"Book": {"Thing"}}}
}

func TestDo(t *testing.T) {
	for _, tt := range []struct {
		name    string
		request graphql.Request
		want    string
	}{
		{"a list", graphql.Request{Query: `{ shelf { all { title } } }`}, `{"data":{"shelf":{"all":[{"title":"Ulysses"},{"title":"Emma"},{"title":"Kim"}]}}}`},
		{"a variable's default", graphql.Request{Query: `query($n: Int = 1) { shelf(max: $n) { all { title } } }`}, `{"data":{"shelf":{"all":[{"title":"Ulysses"}]}}}`},
		{
			"a variable",
			graphql.Request{Query: `query($n: Int = 1) { shelf(max: $n) { all { title } } }`, Variables: map[string]any{"n": 2.0}},
			`{"data":{"shelf":{"all":[{"title":"Ulysses"},{"title":"Emma"}]}}}`,
		},
		{
			"fragments of interfaces and of others",
			graphql.Request{Query: `{ shelf { first { ... on Thing { title } ... on Shelf { all } ...F } } } fragment F on Book { __typename }`},
			`{"data":{"shelf":{"first":{"title":"Ulysses","__typename":"Book"}}}}`,
		},
		{"one of several operations", graphql.Request{Query: `query A { shelf { first { title } } } query B { shelf { __typename } }`, OperationName: "B"}, `{"data":{"shelf":{"__typename":"Shelf"}}}`},
		{"several, none named", graphql.Request{Query: `query A { shelf { __typename } } query B { shelf { __typename } }`}, `{"errors":[{"message":"An operation name is required"}]}`},
		{
			"an error beside data",
			graphql.Request{Query: `{ b: broken shelf { __typename } }`},
			`{"data":{"b":null,"shelf":{"__typename":"Shelf"}},"errors":[{"type":"NOT_FOUND","path":["b"],"locations":[{"line":1,"column":3}],"message":"nothing here"}]}`,
		},
		{
			"an error without a type",
			graphql.Request{Query: `{ plainlyBroken }`},
			`{"data":{"plainlyBroken":null},"errors":[{"path":["plainlyBroken"],"locations":[{"line":1,"column":3}],"message":"out of order"}]}`,
		},
		{
			"a field inside a list that nobody resolves",
			graphql.Request{Query: `{ shelf(max: 1) { all { author } } }`},
			`{"data":{"shelf":{"all":[{"author":null}]}},"errors":[{"path":["shelf","all",0,"author"],"extensions":{"code":"undefinedField","fieldName":"author","typeName":"Book"},"locations":[{"line":1,"column":25}],"message":"Field 'author' of type 'Book' is not known to this server"}]}`,
		},
		{"a subscription", graphql.Request{Query: `subscription { shelf { __typename } }`}, `{"errors":[{"message":"Schema is not configured for subscriptions"}]}`},
		{"the first page", graphql.Request{Query: `{ shelf { books(first: 2) { nodes { title } pageInfo { hasNextPage hasPreviousPage } totalCount } } }`}, `{"data":{"shelf":{"books":{"nodes":[{"title":"Ulysses"},{"title":"Emma"}],"pageInfo":{"hasNextPage":true,"hasPreviousPage":false},"totalCount":3}}}}`},
		{"the last page", graphql.Request{Query: `{ shelf { books(last: 1) { nodes { title } pageInfo { hasNextPage hasPreviousPage } } } }`}, `{"data":{"shelf":{"books":{"nodes":[{"title":"Kim"}],"pageInfo":{"hasNextPage":false,"hasPreviousPage":true}}}}}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			answer := graphql.Answer{}
			op, refused := graphql.Parse(tt.request)
			if refused != nil {
				answer.Errors = []*graphql.Error{refused}
			} else {
				answer = library().Do(op)
			}
			got, err := json.Marshal(answer)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

// TestPagesFollowEachOther reads a list node by node by its cursors.
func TestPagesFollowEachOther(t *testing.T) {
	var titles []string
	after := ""
	for range 5 {
		op, refused := graphql.Parse(graphql.Request{
			Query:     `query($after: String) { shelf { books(first: 1, after: $after) { edges { cursor node { title } } pageInfo { endCursor hasNextPage } } } }`,
			Variables: map[string]any{"after": after},
		})
		if refused != nil {
			t.Fatal(refused)
		}
		data, err := json.Marshal(library().Do(op))
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Data struct {
				Shelf struct {
					Books struct {
						Edges []struct {
							Cursor string
							Node   struct{ Title string }
						}
						PageInfo struct {
							EndCursor   string
							HasNextPage bool
						}
					}
				}
			}
		}
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatal(err)
		}
		books := got.Data.Shelf.Books
		for _, e := range books.Edges {
			titles = append(titles, e.Node.Title)
			if e.Cursor != books.PageInfo.EndCursor {
				t.Errorf("the only edge is at %q, the page ends at %q", e.Cursor, books.PageInfo.EndCursor)
			}
		}
		if !books.PageInfo.HasNextPage {
			break
		}
		after = books.PageInfo.EndCursor
	}
	if diff := cmp.Diff([]string{"Ulysses", "Emma", "Kim"}, titles); diff != "" {
		t.Errorf("titles (-want +got):\n%s", diff)
	}
}
