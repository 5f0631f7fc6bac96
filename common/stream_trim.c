/* stream_trim.c - how old records leave the stream. */
#include "stream_trim.h"

#include <inttypes.h>
#include <stdio.h>

/*
 * KEYS: records, overtaken. ARGV: maximal length, hard length, maximal age in ms, records at most; 0: no rule.
 *
 * An id is two numbers of 64 bits, which Lua's have no room for: they are compared as texts. "given" is the
 * first id that some group was not given, "done" the first that some group has not done with; what is below
 * "done" may go. A group's list of pending ids also has those that were trimmed: it is read from the oldest
 * record on. Who holds the oldest record holds all of them: one that is never acknowledged is as good as none read.
 *
 * Beyond the hard length a hundredth more goes: the record of that gap must not be the next one too many.
 *
 * TIME and XINFO are followed by writes: Redis before 7 allows that once it replicates the effects.
 */
static const char trim_script[] =
	"if redis.replicate_commands then redis.replicate_commands() end\n"
	"local call, records, most = redis.call, KEYS[1], tonumber(ARGV[4])\n"
	"local function less(a, b)\n"
	"  local am, as = string.match(a, '(%d+)-(%d+)')\n"
	"  local bm, bs = string.match(b, '(%d+)-(%d+)')\n"
	"  if #am ~= #bm then return #am < #bm end\n"
	"  if am ~= bm then return am < bm end\n"
	"  if #as ~= #bs then return #as < #bs end\n"
	"  return as < bs\n"
	"end\n"
	"local function after(id)\n"
	"  local ms, n = string.match(id, '(%d+)-(%d+)')\n"
	"  if #n > 15 then return id end\n"
	"  return ms .. '-' .. string.format('%.0f', n + 1)\n"
	"end\n"
	"local function first()\n"
	"  local entry = call('XRANGE', records, '-', '+', 'COUNT', 1)[1]\n"
	"  return entry and entry[1]\n"
	"end\n"
	"local function trim()\n"
	"  local kind = call('TYPE', records).ok\n"
	"  if kind == 'none' then return {0, 0, 0, '', 0, 0, 0, '', '', ''} end\n"
	"  if kind ~= 'stream' then return {err = 'WRONGTYPE ' .. records .. ' holds a ' .. kind} end\n"
	"  local length, oldest = call('XLEN', records), first()\n"
	"  local groups, given, done, slowest, unread = {}, nil, nil, '', 0\n"
	"  for _, flat in ipairs(call('XINFO', 'GROUPS', records)) do\n"
	"    local group = {}\n"
	"    for i = 1, #flat, 2 do group[flat[i]] = flat[i + 1] end\n"
	"    local next_id = after(group['last-delivered-id'])\n"
	"    local waits = next_id\n"
	"    if group.pending > 0 and oldest then\n"
	"      local pending = call('XPENDING', records, group.name, oldest, '+', 1)[1]\n"
	"      if pending then waits = pending[1] end\n"
	"    end\n"
	"    if not given or less(next_id, given) then given = next_id end\n"
	"    if not done or less(waits, done) then\n"
	"      done, slowest = waits, group.name\n"
	"      unread = (tonumber(group.lag or length) or length) + group.pending\n"
	"    end\n"
	"    groups[#groups + 1] = group.name\n"
	"  end\n"
	"  local trimmed, overtaken, from, to = 0, 0, '', ''\n"
	"  local max, hard, age = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])\n"
	"  local function cut(...)\n"
	"    local gone = call('XTRIM', records, ...)\n"
	"    trimmed, length = trimmed + gone, length - gone\n"
	"    return gone\n"
	"  end\n"
	"  if max > 0 and length > max then\n"
	"    local limit = math.min(length - max, most)\n"
	"    if done then cut('MINID', '~', done, 'LIMIT', limit) else cut('MAXLEN', '~', length - limit) end\n"
	"  end\n"
	"  if age > 0 and length > 0 then\n"
	"    local now = call('TIME')\n"
	"    local bound = string.format('%.0f-0', math.max(0, now[1] * 1000 + math.floor(now[2] / 1000) - age))\n"
	"    if done and less(done, bound) then bound = done end\n"
	"    if cut('MINID', '~', bound, 'LIMIT', most) < most / 2 then cut('MINID', bound) end\n"
	"  end\n"
	"  if hard > 0 and length > hard then\n"
	"    local left = math.min(length - hard + math.max(1, math.floor(hard / 100)), most)\n"
	"    from = first()\n"
	"    for _ = 1, 10 do\n"
	"      if left < 1 then break end\n"
	"      local entries = call('XRANGE', records, '-', '+', 'COUNT', math.min(left, 500))\n"
	"      local many = #entries\n"
	"      if not (given and less(entries[1][1], given)) then\n"
	"        many = left\n"
	"        if given then overtaken = overtaken + many end\n"
	"      else\n"
	"        for i = 1, #entries do\n"
	"          if not less(entries[i][1], given) then many = i - 1 break end\n"
	"        end\n"
	"        local counted = {}\n"
	"        for _, name in ipairs(groups) do\n"
	"          for _, pending in ipairs(call('XPENDING', records, name, entries[1][1], entries[many][1], 500)) do\n"
	"            if not counted[pending[1]] then overtaken = overtaken + 1 end\n"
	"            counted[pending[1]] = true\n"
	"          end\n"
	"        end\n"
	"      end\n"
	"      left = left - cut('MAXLEN', length - many)\n"
	"    end\n"
	"    to = first() or from\n"
	"  end\n"
	"  local total, refusal = 0, ''\n"
	"  if overtaken > 0 then\n"
	"    total = redis.pcall('INCRBY', KEYS[2], overtaken)\n"
	"    if type(total) == 'table' then total, refusal = 0, total.err end\n"
	"  end\n"
	"  oldest = first()\n"
	"  if unread > length or (done and oldest and not less(oldest, done)) then unread = length end\n"
	"  return {length, #groups, unread, slowest, trimmed, overtaken, total, from, to, refusal}\n"
	"end\n"
	"local ran, result = pcall(trim)\n"
	"if ran then return result end\n"
	"if type(result) == 'table' then return result end\n"
	"return {err = tostring(result)}\n";

static uint64_t number_at(const struct redis_reply *reply, size_t i)
{
	int64_t number = redis_reply_at(reply, i).integer;

	return number > 0 ? (uint64_t)number : 0;
}

/* The milliseconds of an id. */
static uint64_t time_at(const struct redis_reply *reply, size_t i)
{
	struct text id = redis_reply_at(reply, i).text;
	uint64_t ms = 0;

	for (size_t j = 0; j < id.length && j < 15 && id.start[j] >= '0' && id.start[j] <= '9'; j++)
		ms = ms * 10 + (uint64_t)(id.start[j] - '0');
	return ms * 1000;
}

static void read_result(struct stream_trim *trim, const struct redis_reply *reply)
{
	struct text slowest = redis_reply_at(reply, 3).text;

	*trim = (struct stream_trim){
		.length = number_at(reply, 0), .readers = number_at(reply, 1), .unread = number_at(reply, 2),
		.trimmed = number_at(reply, 4), .overtaken = number_at(reply, 5), .overtaken_total = number_at(reply, 6),
		.from_us = time_at(reply, 7), .to_us = time_at(reply, 8),
	};
	/* Any bytes may be a group's name; a NUL ends ours. */
	(void)snprintf(trim->slowest, sizeof trim->slowest, "%.*s", TEXT_ARGS(slowest));
	problem_set(&trim->uncounted, "%.*s", TEXT_ARGS(redis_reply_at(reply, 9).text));
}

static void add_number(struct redis_link *link, uint64_t number)
{
	char digits[24];

	(void)snprintf(digits, sizeof digits, "%" PRIu64, number);
	redis_link_add(link, text_of(digits));
}

enum redis_failure stream_trim(struct redis_link *link, const struct stream_names *names,
			       const struct stream_trim_rule *rule, struct stream_trim *ret_trim,
			       struct problem *problem)
{
	struct redis_reply reply;
	enum redis_failure failure = redis_link_for(link, names->records, problem);

	if (failure)
		return failure;
	redis_link_begin(link);
	redis_link_add(link, TEXT_LITERAL("EVAL"));
	redis_link_add(link, TEXT_LITERAL(trim_script));
	redis_link_add(link, TEXT_LITERAL("2"));
	redis_link_add(link, text_of(names->records));
	redis_link_add(link, text_of(names->overtaken));
	add_number(link, rule->max_length);
	add_number(link, rule->hard_length);
	add_number(link, rule->max_age_us / 1000);
	add_number(link, STREAM_TRIM_MAX);
	failure = redis_link_run(link, &reply, problem);
	if (failure)
		return failure;
	if (reply.type != REDIS_ARRAY || reply.count != 10) {
		problem_set(problem, "redis gives an answer that the trim script has not");
		redis_link_close(link);
		return REDIS_RECONNECT;
	}
	read_result(ret_trim, &reply);
	return REDIS_OK;
}
