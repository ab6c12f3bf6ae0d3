# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Of kmemleak's list: what leaked. Not told is one leak that is 6.1's own: when
# kset_register() fails in __class_register(), the name that it gave the class is lost.

function tell()
{
	if (!known)
		printf "%s", block
	block = ""
	known = 0
}

/^unreferenced object/ { tell() }
{ block = block $0 "\n" }
/ __class_register\+/ && last ~ / kobject_set_name\+/ { known = 1 }
{ last = $0 }
END { tell() }
