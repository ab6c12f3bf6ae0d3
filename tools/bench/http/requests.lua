-- SPDX-License-Identifier: GPL-2.0-only OR MIT
--
-- For wrk: of ten requests nine for a product, one for 100 members of a catalog from
-- somewhere on, at random. wrk ... -- SEED PRODUCTS CATALOGS, prints one line.

local products, catalogs

function init(args)
	math.randomseed(tonumber(args[1]))
	products = tonumber(args[2])
	catalogs = tonumber(args[3])
end

function request()
	local id = math.random(products) * 1009

	if math.random(10) > 1 then
		return wrk.format("GET", "/product/" .. id)
	end
	return wrk.format("GET", "/catalog/" .. math.random(catalogs) .. "?after=" .. id)
end

-- Requests a second; microseconds; what went wrong.
function done(summary, latency)
	local e = summary.errors

	io.write(string.format("figures %.0f %d %d %d %d %d\n",
		summary.requests / summary.duration * 1e6,
		latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
		latency.max, e.connect + e.read + e.write + e.status + e.timeout))
end
