"""Go's template language, construct by construct. Expected texts are Go's."""

import pytest

from quietshift.channels.gotemplate import Data, TemplateError, Templates
from quietshift.channels.gotemplate.limits import MAX_CALLS

BODY = {
    "receiver": r"te\.am", "status": "firing", "externalURL": "http://am:9093",
    "groupLabels": {"alertname": "Disk full"}, "commonLabels": {"alertname": "Disk full", "job": "node", "b": "2"},
    "commonAnnotations": {"summary": "a <b>"},
    "alerts": [
        {
            "status": "firing", "labels": {"alertname": "Disk full", "job": "node", "b": "2", "host": "db1"},
            "annotations": {"summary": "a <b>"}, "startsAt": "2024-01-02T03:04:05.120Z", "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prom/?a=1&b=2", "fingerprint": "00f0",
        },
        {
            "status": "resolved", "labels": {"alertname": "Disk full", "job": "node", "b": "2"},
            "annotations": {"summary": "a <b>"}, "startsAt": "2024-01-02T03:04:05+02:00", "endsAt": "2024-01-02T04:04:05Z",
            "generatorURL": "", "fingerprint": "00f1",
        },
    ],
}  # fmt: skip
DATA = Data.from_json(BODY)
TEMPLATES = Templates.parse()


def text(template: str) -> str:
    return TEMPLATES.text(template, DATA)


VECTORS = [
    # text, comments, trimming
    ("plain", "plain"),
    ("a{{/* c */}}b", "ab"),
    ("a {{- /* c */ -}} b", "ab"),
    ("a \n\t{{- 1 -}}\n b", "a1b"),
    ("{{3 -}} x", "3x"),
    ("{{-3}}", "-3"),
    ("a {{ \"b\" }} c", "a b c"),
    ("{{\n1\n}}", "1"),
    # constants
    ("{{ true }} {{ false }}", "true false"),
    ("{{ 0x1F }} {{ 0b11 }} {{ 0o17 }} {{ 017 }} {{ 1_000 }}", "31 3 15 15 1000"),
    ("{{ 1.5 }} {{ 1e3 }} {{ 1e100 }} {{ .5 }} {{ 1234567.0 }} {{ 0.00001 }}", "1.5 1000 1e+100 0.5 1.234567e+06 1e-05"),
    ("{{ 'a' }} {{ '\\n' }}", "97 10"),
    (r'{{ "a\tb\x41\u00e9\"" }}', 'a\tbAé"'),
    ("{{ `raw \\n` }}", "raw \\n"),
    # fields, methods, variables
    ("{{ .Status }} {{ .CommonLabels.job }}", "firing node"),
    ("{{ .CommonLabels.absent }}|", "|"),
    ("{{ len .Alerts }} {{ .Alerts.Firing | len }} {{ len .Alerts.Resolved }}", "2 1 1"),
    ("{{ .CommonLabels.Names }} {{ .CommonLabels.Values }}", "[alertname b job] [Disk full 2 node]"),
    ("{{ .CommonLabels.SortedPairs.Names | join \",\" }}", "alertname,b,job"),
    ("{{ (.CommonLabels.Remove .GroupLabels.Names).Values }}", "[2 node]"),
    ("{{ .GroupLabels.Names.Join \"+\" }}", "alertname"),
    ("{{ (index .Alerts 0).Labels.host }}", "db1"),
    ("{{ $x := 1 }}{{ $x }}{{ $x = 2 }}{{ $x }}", "12"),
    ("{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ $x := 3 }}{{ $x }}{{ end }}{{ $x }}", "32"),
    ("{{ with .CommonLabels }}{{ $.Status }}{{ .job }}{{ end }}", "firingnode"),
    ("{{ $l := .CommonLabels }}{{ $l.job }}", "node"),
    # control
    ("{{ if .CommonLabels.nope }}a{{ else if eq 1 1 }}b{{ else }}c{{ end }}", "b"),
    ("{{ if \"\" }}a{{ end }}{{ if 0 }}b{{ end }}{{ if 0.0 }}c{{ end }}{{ if . }}d{{ end }}", "d"),
    ("{{ with $x := 5 }}{{ . }}{{ $x }}{{ else }}no{{ end }}", "55"),
    ("{{ with \"\" }}a{{ else with 2 }}{{ . }}{{ end }}", "2"),
    ("{{ range .Alerts }}{{ .Status }} {{ end }}", "firing resolved "),
    ("{{ range $i, $a := .Alerts }}{{ $i }}{{ $a.Status }}{{ end }}", "0firing1resolved"),
    ("{{ range $k, $v := .CommonLabels }}{{ $k }}={{ $v }};{{ end }}", "alertname=Disk full;b=2;job=node;"),
    ("{{ range .CommonLabels.Remove .CommonLabels.Names }}x{{ else }}none{{ end }}", "none"),
    ("{{ range $i, $a := .Alerts }}{{ if $i }}{{ break }}{{ end }}{{ $i }}{{ end }}", "0"),
    ("{{ range $i, $a := .Alerts }}{{ if not $i }}{{ continue }}{{ end }}{{ $i }}{{ end }}", "1"),
    ("{{ range 3 }}{{ . }}{{ end }}", "012"),
    ("{{ define \"t\" }}<{{ . }}>{{ end }}{{ template \"t\" 1 }}{{ template \"t\" }}", "<1><<no value>>"),
    ("{{ block \"b\" .Status }}[{{ . }}]{{ end }}", "[firing]"),
    # pipelines
    ("{{ \"a\" | toUpper | printf \"%s-%s\" \"x\" }}", "x-A"),
    ("{{ (printf \"%d\" 3) | len }}", "1"),
    ("{{ printf \"%s\" (printf \"%q\" \"a\") }}", '"a"'),
    # functions of Go
    ("{{ and 1 0 2 }} {{ or 0 \"\" 3 }} {{ not 0 }}", "0 3 true"),
    ("{{ or 1 (index .Alerts 99) }}", "1"),
    ("{{ eq 1 2 1 }} {{ ne \"a\" \"b\" }} {{ lt 1 2 }} {{ le 2 2 }} {{ gt \"b\" \"a\" }} {{ ge 1.5 1.6 }}",
     "true true true true true false"),
    ("{{ index .CommonLabels \"job\" }} {{ index \"abc\" 1 }}", "node 98"),
    ("{{ slice \"abcdef\" 1 3 }} {{ slice \"äb\" 2 }} {{ slice (stringSlice \"a\" \"b\" \"c\") 1 }}", "bc b [b c]"),
    ("{{ len \"ä\" }}", "2"),
    ("{{ print 1 2 \"a\" 3 nil }} {{ println 1 \"a\" }}", "1 2a3 <nil> 1 a\n"),
    ("{{ html \"<a href='x'>\" }} {{ js \"it's <\" }} {{ urlquery \"a b/c\" }}",
     "&lt;a href=&#39;x&#39;&gt; it\\'s \\u003C a+b%2Fc"),
    # functions of Alertmanager
    ("{{ toUpper \"straße\" }} {{ toLower \"ÀB\" }} {{ title \"hELLO wORLD it's\" }} {{ trimSpace \" a \" }}",
     "STRAßE àb Hello World It's a"),
    ("{{ match \"^a.c$\" \"abc\" }} {{ match \"b\" \"abc\" }}", "true true"),
    ("{{ reReplaceAll \"(a)(b)?\" \"<$1${2}$$>\" \"abca\" }}", "<ab$>c<a$>"),
    ("{{ reReplaceAll \"x*\" \"-\" \"abc\" }}", "-a-b-c-"),
    ("{{ stringSlice \"a\" \"b\" | join \"-\" }}", "a-b"),
    ("{{ urlUnescape \"a%20b+c\" }}", "a b c"),
    ("{{ humanizeDuration 93784 }} {{ humanizeDuration \"0.0123\" }} {{ humanizeDuration 1.5 }}", "1d 2h 3m 4s 12.3ms 1.5s"),
    ("{{ toJson (dict \"a\" (list 1 \"<\" nil)) }}", '{"a":[1,"\\u003c",null]}'),
    ("{{ append (list 1) 2 }} {{ (dict \"a\" 1).a }} {{ (dict \"a\" 1).b }}", "[1 2] 1 <no value>"),
    ("{{ base64encode \"a?\" }} {{ base64decode \"YT8=\" }}", "YT8= a?"),
    # time
    ("{{ (index .Alerts 0).StartsAt }}", "2024-01-02 03:04:05.12 +0000 UTC"),
    ("{{ (index .Alerts 0).StartsAt.Format \"Mon Jan _2 15:04:05.000 MST 2006\" }}", "Tue Jan  2 03:04:05.120 UTC 2024"),
    ("{{ (index .Alerts 1).StartsAt }} {{ (index .Alerts 1).StartsAt.Unix }}", "2024-01-02 03:04:05 +0200 +0200 1704157445"),
    ("{{ date \"02.01.06 03PM\" (tz \"Europe/Berlin\" (index .Alerts 0).StartsAt) }}", "02.01.24 04AM"),
    ("{{ (index .Alerts 1).EndsAt.Sub (index .Alerts 1).StartsAt }}", "3h0m0s"),
    ("{{ ((index .Alerts 0).StartsAt.Add 3600000000000).Format \"15:04\" }}", "04:04"),
    ("{{ (index .Alerts 0).EndsAt.IsZero }} {{ (index .Alerts 0).StartsAt.Weekday }}", "true Tuesday"),
    ("{{ (toDate \"2006-01-02\" \"2024-05-06\").YearDay }} {{ (toDate \"2006\" \"x\").IsZero }}", "127 true"),
    # whole values
    ("{{ .CommonLabels }}", "alertname=Disk full, b=2, job=node"),
    ("{{ .GroupLabels.SortedPairs }}", "alertname=Disk full"),
]  # fmt: skip


@pytest.mark.parametrize(("template", "expected"), VECTORS)
def test_what_go_says(template, expected):
    assert text(template) == expected


PRINTF = [
    ("%d %5d|%-5d|%05d %+d %x %X %o %b %c %U %q", "1 2 3 4 5 255 255 8 5 65 65 65",
     "1     2|3    |00004 +5 ff FF 10 101 A U+0041 'A'"),
    ("%s %q %v %10s|%-4s|%.2s %x", '"a" "b" "c" "d" "e" "fgh" "hi"', 'a "b" c          d|e   |fg 6869'),
    ("%f %.2f %e %g %8.3f|%6.1f", "1.5 1.005 100000.0 0.1 3.14159 2.0", "1.500000 1.00 1.000000e+05 0.1    3.142|   2.0"),
    ("%t %v %T %T %T", 'true false 1 "a" 1.5', "true false int string float64"),
    ("%d", '"a"', "%!d(string=a)"),
    ("%s %s", '"a"', "a %!s(MISSING)"),
    ("%s", '"a" 2', "a%!(EXTRA int=2)"),
    ("%", "", "%!(NOVERB)"),
    ("100%%", "", "100%"),
    ("%[2]s %[1]s", '"a" "b"', "b a"),
    ("%*d", "4 2", "   2"),
    ("%s", "nil", "%!s(<nil>)"),
    ("%z", "1", "%!z(int=1)"),
]


@pytest.mark.parametrize(("form", "args", "expected"), PRINTF)
def test_printf(form, args, expected):
    assert text(f'{{{{ printf "{form}" {args} }}}}') == expected


BROKEN = [
    ("{{", "1:1: unclosed action"),
    ("a\n {{ .A ", "2:2: unclosed action"),
    ("{{ if 1 }}", "unexpected end of the template: {{if}} has no {{end}}"),
    ("{{ end }}", "unexpected {{end}}"),
    ("{{ else }}", "unexpected {{else}}"),
    ("{{ nope }}", "1:4: function 'nope' not defined"),
    ("{{ $x }}", "1:4: undefined variable '$x'"),
    ("{{ break }}", "{{break}} outside {{range}}"),
    ("{{ }}", "missing value for command"),
    ("{{ 1 | 2 }}", "non executable command in pipeline stage 2"),
    ("{{ (1 }}", "unclosed left paren"),
    ("{{ 1) }}", "unexpected right paren"),
    ('{{ "a }}', "unterminated quoted string"),
    ("{{ /* }}", "unrecognized character in action: '/'"),
    ("{{/* }}", "unclosed comment"),
    ("{{/* */ x}}", "comment ends before closing delimiter"),
    ("{{ 1i }}", "complex numbers are not supported"),
    ("{{ 0x }}", "bad number syntax"),
    ("{{ 99999999999999999999 }}", "integer overflow"),
    ('{{ define "a" }}x{{ end }}{{ define "a" }}y{{ end }}', "multiple definition of template 'a'"),
    ("{{ if 1 }}{{ define \"x\" }}{{ end }}{{ end }}", "unexpected 'define' in command"),
    ("{{ template x }}", "unexpected 'x' in template clause"),
    ("{{ .A.B.-1 }}", "bad character '-'"),
    ("{{ $x, $y := 1 }}", "too many declarations in command"),
    ("{{ \"a\".B }}", "unexpected . after term"),
    ("(" * 3 + "{{ " + "(" * 100 + "1" + ")" * 100 + " }}", "nested more than"),
]  # fmt: skip


@pytest.mark.parametrize(("template", "message"), BROKEN)
def test_what_does_not_parse(template, message):
    with pytest.raises(TemplateError) as caught:
        TEMPLATES.check(template)
    assert message in str(caught.value)


FAILING = [
    ("{{ .Nope }}", "1:4: can't evaluate field Nope in type *template.Data"),
    ("{{ .Status.Nope }}", "can't evaluate field Nope in type string"),
    ("{{ index .Alerts 9 }}", "error calling index: index out of range: 9"),
    ("{{ toUpper 1 }}", "expected string; found 1"),
    ("{{ toUpper .Alerts }}", "wrong type for value; expected string; got template.Alerts"),
    ("{{ toUpper }}", "wrong number of args for toUpper: want 1 got 0"),
    ("{{ eq 1 \"a\" }}", "incompatible types for comparison"),
    ("{{ lt true false }}", "invalid type for comparison"),
    ("{{ range .Status }}{{ end }}", "range can't iterate over firing"),
    ("{{ .Status 1 }}", "Status has arguments but cannot be invoked as function"),
    ("{{ 1 2 }}", "can't give argument to non-function 1"),
    ("{{ nil }}", "nil is not a command"),
    ("{{ match \"(\" \"a\" }}", "error calling match: error parsing regexp"),
    ("{{ tz \"Nowhere/City\" now }}", "unknown time zone Nowhere/City"),
    ("{{ tz \"../../etc/passwd\" now }}", "unknown time zone"),
    ("{{ call .Status }}", "non-function of type string"),
    ("{{ dict 1 2 }}", "dict keys must be strings"),
    ("{{ mustToDate \"2006\" \"x\" }}", "parsing time"),
    ("{{ (dict).a.b }}", "nil pointer evaluating interface {}.b"),
    ("{{ $x = 1 }}", "undefined variable: $x"),
    ('{{ template "absent" }}', "template 'absent' not defined"),
]  # fmt: skip


@pytest.mark.parametrize(("template", "message"), FAILING)
def test_what_fails_while_it_is_rendered(template, message):
    with pytest.raises(TemplateError) as caught:
        text(template)
    assert message in str(caught.value)


ENDLESS = {
    "loop": "{{ range 1000000000 }}{{ end }}",
    "nested loops": "{{ range 1000 }}" * 5 + "{{ end }}" * 5,
    "growing text": '{{ $x := "aaaa" }}{{ range 99 }}{{ $x = print $x $x }}{{ end }}',
    "growing list": "{{ $x := list 1 }}{{ range 99 }}{{ $x = list $x $x }}{{ end }}{{ $x }}",
    "growing JSON": "{{ $x := list 1 }}{{ range 99 }}{{ $x = list $x $x }}{{ end }}{{ toJson $x }}",
    "wide": '{{ range 1000 }}{{ printf "%999999d" 1 }}{{ end }}',
    "itself": '{{ define "x" }}{{ template "x" . }}{{ end }}{{ template "x" . }}',
    "one another": '{{ define "x" }}{{ template "y" }}{{ end }}'
                   '{{ define "y" }}{{ with 1 }}{{ template "x" }}{{ end }}{{ end }}{{ template "x" }}',
    "expression": '{{ $s := printf "%999999d" 1 }}{{ range 9999 }}{{ if match "(a*)*(b|c)*$" $s }}{{ end }}{{ end }}',
    "replacement": '{{ $s := printf "%999999d" 1 }}{{ range 99 }}{{ $s = reReplaceAll "." "xxxx" $s }}{{ end }}',
}  # fmt: skip


@pytest.mark.parametrize("template", ENDLESS.values(), ids=ENDLESS)
def test_nothing_runs_for_ever_or_fills_the_memory(template):
    templates = Templates.parse((), steps=300_000)
    with pytest.raises(TemplateError, match=rf"takes more than|makes a text|makes more than|more than {MAX_CALLS} deep"):
        templates.text(template, DATA)


def test_an_error_names_the_template_with_line_and_column():
    templates = Templates.parse([("/etc/x/a.tmpl", '{{ define "a" }}\n  {{ .Nope }}{{ end }}')])
    with pytest.raises(TemplateError) as caught:
        templates.text('{{ template "a" . }}', DATA)
    assert (caught.value.template, caught.value.line, caught.value.column) == ("/etc/x/a.tmpl", 2, 6)
    assert str(caught.value).startswith("/etc/x/a.tmpl:2:6: can't evaluate field Nope")


def test_a_file_is_a_template_of_its_name_and_an_empty_definition_replaces_none():
    templates = Templates.parse([("/x/whole.tmpl", "all of {{ .Status }}"), ("b.tmpl", '{{ define "__subject" }} {{ end }}')])
    assert templates.text('{{ template "whole.tmpl" . }}', DATA) == "all of firing"
    assert templates.text('{{ template "__subject" . }}', DATA) == "[FIRING:1] Disk full (2 node)"


def test_check_finds_undefined_templates_behind_defined_ones():
    templates = Templates.parse([("a.tmpl", '{{ define "a" }}{{ if 0 }}{{ template "b" }}{{ end }}{{ end }}')])
    with pytest.raises(TemplateError, match=r"a.tmpl:1:\d+: template 'b' not defined"):
        templates.check('{{ template "a" }}')
    templates.check('{{ define "b" }}{{ end }}{{ template "a" }}')


def test_now_and_since_go_by_the_time_of_telling():
    from datetime import UTC, datetime

    data = Data.from_json(BODY, datetime(2024, 1, 2, 4, 4, 5, tzinfo=UTC))
    assert TEMPLATES.text("{{ now.Unix }} {{ since (index .Alerts 1).StartsAt }}", data) == "1704168245 3h0m0s"
