# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Reads what branches.jq wrote; gives what was not taken a text, for its place
# changes with every line above it: FILE:FUNCTION:CONDITION:true|false
BEGIN { FS = "\t" }

function source(file, line)
{
	if (!(file in have)) {
		have[file] = 1
		while ((getline text < ("kmod/" file)) > 0)
			lines[file, ++n[file]] = text
	}
	return lines[file, line]
}

function condition(file, line, from, last, to,    text, rest)
{
	text = source(file, line)
	if (line == last)
		return substr(text, from, to - from)
	text = substr(text, from)
	while (++line <= last) {
		rest = source(file, line)
		text = text " " (line == last ? substr(rest, 1, to - 1) : rest)
	}
	gsub(/[ \t]+/, " ", text)
	return text
}

{
	text = $1 ":" $2 ":" condition($1, $3, $4, $5, $6)
	if (!$7)
		print text ":true"
	if (!$8)
		print text ":false"
}
