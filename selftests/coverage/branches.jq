# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Of what `llvm-cov export` wrote for each program: a line for each condition in
# kmod/, with what all programs together made of it:
#
#   FILE FUNCTION LINE COLUMN LINE COLUMN TRUE FALSE
#
# A function of a header is there once for each file that includes it.

[.[].data[0].functions[] | . as $f | .branches[]?
	| { file: $f.filenames[.[6]], name: ($f.name | sub(".*:"; "")), at: .[0:4], true: .[4], false: .[5] }
	| select(.file | test("/kmod/"))
	| .file |= sub(".*/kmod/"; "")]
| group_by([.file, .name, .at])[]
| [.[0].file, .[0].name, .[0].at[], (map(.true) | add), (map(.false) | add)]
| @tsv
