# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# What `llvm-cov export -format=lcov` wrote for each program: FILE LINES RUN
/^SF:/ {
	file = $0
	if (!sub(/^SF:.*\/kmod\//, "", file))
		file = ""
}

file != "" && /^DA:/ {
	split(substr($0, 4), part, ",")
	count[file, part[1]] += part[2]
}

END {
	for (key in count) {
		split(key, part, SUBSEP)
		lines[part[1]]++
		run[part[1]] += count[key] > 0
	}
	for (name in lines)
		print name "\t" lines[name] "\t" run[name]
}
