/*
 * genlog.c - writes a large, realistic Postfix mail log and its ground truth.
 *
 *   tests/genlog/genlog --size 1G --out mail.log --truth mail.json
 *
 * Everything is invented: domains end in .example or .test, addresses come from
 * 198.18.0.0/15, 100.64.0.0/10 and 2001:db8::/32.  The same options and seed
 * always give the same bytes, on every machine: no two numbers are drawn in one
 * list of arguments, whose order each compiler chooses for itself.
 *
 * How it works.  Sessions (an inbound mail, a submission, a reject, a password
 * guesser ...) arrive by a Poisson process with a daily rhythm.  Each one builds
 * all its lines at once, each with its own time, and pushes them on a heap.
 * Before a new session is built, every line older than its arrival is written;
 * so lines of many sessions are interleaved, in strict time order.  The truth is
 * counted when a line is WRITTEN, so it holds for a log cut at any point too.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef uint64_t u64;
typedef uint32_t u32;

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define MS 1000ull
#define SEC 1000000ull
#define MINUTE (60 * SEC)
#define HOUR (3600 * SEC)

/* ------------------------------------------------------------- options */

static struct {
    u64 size, seed, start;
    double rate;
    unsigned domains, hosts, reuse_ppm;
    int iso, long_ids, cut;
    const char *out, *truth;
} opt = { .size = 200000000, .seed = 1, .start = 1793491200, .rate = 6, .domains = 5000,
          .hosts = 1, .reuse_ppm = 500 };

/* -------------------------------------------------------------- random */

static u64 rng_state;

static u64 rnd(void)
{
    u64 z = (rng_state += 0x9E3779B97F4A7C15ull);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}
static u32 below(u32 n) { return (u32)(((rnd() >> 32) * n) >> 32); }
static double unit(void) { return (double)(rnd() >> 11) * 0x1p-53; }
static int chance(double p) { return unit() < p; }
static u64 between(u64 lo, u64 hi) { return lo + rnd() % (hi - lo + 1); }
static double exponential(double mean) { return -log(1.0 - unit()) * mean; }
/* A few values are very common, most are rare. */
static u32 skewed(u32 n) { double u = unit(); return (u32)(u * u * u * n); }
/* Log-normal message size: median about 9 kB, long tail to 25 MB. */
static u32 message_size(void)
{
    double radius = sqrt(-2 * log(1.0 - unit()));
    double g = radius * cos(6.283185307179586 * unit());
    double s = exp(9.1 + 1.5 * g);
    return s < 600 ? 600 + below(400) : s > 25e6 ? 25000000 : (u32)s;
}

/* ----------------------------------------------------- people and hosts */

enum { LOCAL_DOMAINS = 24 };            /* the first domains are ours */

struct domain { char name[40], mx[56], ip[40]; };
static struct domain *domains;

static const char *const syllable[] = {
    "ba", "ber", "cor", "da", "del", "en", "fa", "fin", "gal", "ger", "ha", "hol", "in", "ka",
    "kel", "la", "lin", "ma", "mer", "mon", "na", "nor", "o", "pa", "per", "qui", "ra", "ri",
    "sa", "sen", "sol", "ta", "ter", "tor", "u", "va", "ver", "wa", "win", "xa", "yo", "zen" };
static const char *const first[] = {
    "anna", "ben", "carla", "david", "emma", "felix", "greta", "hugo", "ines", "jan", "kim",
    "laura", "max", "nina", "otto", "paula", "quentin", "rosa", "sven", "tina", "uwe", "vera",
    "info", "sales", "billing", "support", "noreply", "newsletter", "postmaster", "hr" };
static const char *const suffix[] = { "example", "test", "com.example", "org.example", "de.test" };

static void make_ip(char *dst, u32 n, u32 base, u32 mask)
{
    u32 a = base + (n & mask);
    sprintf(dst, "%u.%u.%u.%u", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255);
}

static void make_domains(void)
{
    static const char *const prefix[] = { "mx", "mail", "mx1", "smtp", "in.mail", "mta-7" };

    domains = calloc(opt.domains, sizeof *domains);
    for (u32 i = 0; i < opt.domains; i++) {
        struct domain *d = &domains[i];
        char label[32] = "";
        for (u32 k = 2 + below(3); k; k--)
            strcat(label, syllable[below(COUNT(syllable))]);
        /* The number keeps names unique. */
        (void)snprintf(d->name, sizeof d->name, "%s%u.%s", label, i % 1000000, suffix[below(COUNT(suffix))]);
        sprintf(d->mx, "%s.%s", prefix[below(COUNT(prefix))], d->name);
        if (below(8) == 0) {
            u32 low = 1 + below(255), middle = below(65536), high = below(65536);
            sprintf(d->ip, "2001:db8:%x:%x::%x", high, middle, low);
        } else
            make_ip(d->ip, (u32)rnd(), 198u << 24 | 18u << 16, 0x1FFFF);
    }
}

static const char *local_domain(u32 *index)
{
    *index = skewed(LOCAL_DOMAINS);
    return domains[*index].name;
}
static u32 remote_domain(void) { return LOCAL_DOMAINS + skewed(opt.domains - LOCAL_DOMAINS); }

static void make_user(char *dst)
{
    const char *f = first[below(COUNT(first))], *end;
    switch (below(4)) {
    case 0: sprintf(dst, "%s", f); break;
    case 1:
        end = syllable[below(COUNT(syllable))];
        sprintf(dst, "%s.%s%s", f, syllable[below(COUNT(syllable))], end);
        break;
    case 2: sprintf(dst, "%s%u", f, below(1000)); break;
    default: sprintf(dst, "%s+%s", f, syllable[below(COUNT(syllable))]); break;
    }
}

struct address { char text[120]; u32 domain; };

static struct address address_at(u32 domain)
{
    struct address a;
    char user[48];
    make_user(user);
    snprintf(a.text, sizeof a.text, "%s@%s", user, domains[domain].name);
    a.domain = domain;
    return a;
}

/* -------------------------------------------------- ground truth counting */

enum act {                       /* what a written line means to the truth */
    A_NONE, A_SENT, A_DEFERRED, A_BOUNCED, A_EXPIRED, A_REJECT, A_REJECT_WARNING, A_MILTER_REJECT,
    A_DISCARD, A_RECEIVED_SMTP, A_RECEIVED_AUTH, A_RECEIVED_PICKUP, A_RECEIVED_BOUNCE, A_ACTIVE_FIRST,
    A_ACTIVE_AGAIN, A_REMOVED, A_CONNECT, A_DISCONNECT, A_LOST, A_AUTH_FAIL, A_TLS_IN,
    A_TLS_OUT, A_MESSAGE_ID, A_WARNING, A_POSTSCREEN_REJECT, A_ANVIL, A_COUNT };
static const char *const act_name[A_COUNT] = {
    "other", "sent", "deferred", "bounced", "expired", "reject", "reject_warning", "milter_reject",
    "discard", "received_smtpd", "received_smtpd_authenticated", "received_pickup", "received_bounce_notice",
    "queue_active_first", "queue_active_again", "removed", "connect", "disconnect",
    "lost_connection", "auth_failed", "tls_in", "tls_out", "message_id", "warning",
    "postscreen_reject", "anvil" };

#define NO_DOMAIN 0xFFFFFFFFu
struct tally { u64 sent, deferred, bounced, rejected, from_messages, from_bytes; };

static struct {
    u64 lines, bytes, by_act[A_COUNT];
    u64 bytes_received, bytes_delivered;
    u64 logical_messages, reused_queue_ids;   /* counted when built, not when written */
    u64 first_time, last_time;
    u64 sent_by_agent[8], hour[24];
} truth;
static struct tally *per_domain;

enum agent { G_SMTP, G_LMTP, G_LOCAL, G_VIRTUAL, G_PIPE, G_AMAVIS };
static const char *const agent_name[] = {
    "smtp", "lmtp", "local", "virtual", "pipe", "smtp_to_amavis" };

/* ------------------------------------------------------------ event heap */

struct event {
    u64 t, seq;
    u32 domain, bytes;
    unsigned char act, agent, host;
    char text[];                 /* "postfix/smtpd[123]: ..." */
};

static struct event **heap;
static size_t heap_len, heap_cap;
static u64 next_seq;
static FILE *out;

static int earlier(const struct event *a, const struct event *b)
{
    return a->t != b->t ? a->t < b->t : a->seq < b->seq;
}

static void push(struct event *e)
{
    size_t i = heap_len++;
    if (heap_len > heap_cap)
        heap = realloc(heap, (heap_cap = heap_cap ? heap_cap * 2 : 4096) * sizeof *heap);
    for (; i && earlier(e, heap[(i - 1) / 2]); i = (i - 1) / 2)
        heap[i] = heap[(i - 1) / 2];
    heap[i] = e;
}

static struct event *pop(void)
{
    struct event *top = heap[0], *last = heap[--heap_len];
    size_t i = 0, c;
    while ((c = 2 * i + 1) < heap_len) {
        if (c + 1 < heap_len && earlier(heap[c + 1], heap[c]))
            c++;
        if (!earlier(heap[c], last))
            break;
        heap[i] = heap[c];
        i = c;
    }
    heap[i] = last;
    return top;
}

static void count(const struct event *e)
{
    truth.by_act[e->act]++;
    switch (e->act) {
    case A_SENT:
        truth.bytes_delivered += e->bytes;
        truth.sent_by_agent[e->agent]++;
        truth.hour[e->t / HOUR % 24]++;
        if (e->domain != NO_DOMAIN) per_domain[e->domain].sent++;
        break;
    case A_DEFERRED: if (e->domain != NO_DOMAIN) per_domain[e->domain].deferred++; break;
    case A_BOUNCED: if (e->domain != NO_DOMAIN) per_domain[e->domain].bounced++; break;
    case A_REJECT: case A_MILTER_REJECT: case A_POSTSCREEN_REJECT:
        if (e->domain != NO_DOMAIN) per_domain[e->domain].rejected++;
        break;
    case A_ACTIVE_FIRST:
        truth.bytes_received += e->bytes;
        if (e->domain != NO_DOMAIN) {
            per_domain[e->domain].from_messages++;
            per_domain[e->domain].from_bytes += e->bytes;
        }
        break;
    }
}

static void write_event(struct event *e)
{
    static time_t cached = -1;
    static char stamp[40];
    time_t s = (time_t)(e->t / SEC);
    int w;

    if (s != cached) {
        struct tm tm;
        gmtime_r(&s, &tm);
        strftime(stamp, sizeof stamp, opt.iso ? "%Y-%m-%dT%H:%M:%S" : "%b %e %H:%M:%S", &tm);
        cached = s;
    }
    if (opt.iso)
        w = fprintf(out, "%s.%06u+00:00 mx%u %s\n", stamp, (unsigned)(e->t % SEC), e->host + 1u,
                    e->text);
    else
        w = fprintf(out, "%s mx%u %s\n", stamp, e->host + 1u, e->text);
    truth.lines++;
    truth.bytes += (u64)w;
    if (!truth.first_time)
        truth.first_time = e->t;
    truth.last_time = e->t;
    count(e);
    free(e);
}

/* ---------------------------------------------------------- building lines */

static unsigned host;            /* the host of the session being built */

/* Queues one line.  The text starts with the program name. */
__attribute__((format(printf, 6, 7)))
static void line(u64 t, enum act act, unsigned agent, u32 domain, u32 bytes, const char *fmt, ...)
{
    char buf[2048];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(buf, sizeof buf, fmt, ap);
    va_end(ap);
    if (n >= (int)sizeof buf)
        n = sizeof buf - 1;
    struct event *e = malloc(sizeof *e + (size_t)n + 1);
    *e = (struct event){ .t = t, .seq = next_seq++, .domain = domain, .bytes = bytes,
                         .act = (unsigned char)act, .agent = (unsigned char)agent,
                         .host = (unsigned char)host };
    memcpy(e->text, buf, (size_t)n + 1);
    push(e);
}
#define LINE(t, act, ...) line(t, act, 0, NO_DOMAIN, 0, __VA_ARGS__)

static unsigned process_id(void) { return 1000 + skewed(31000); }

/* An smtpd process serves one session at a time, and a hundred in its life. */
struct worker { u64 free_at; unsigned pid, uses; };
static struct worker workers[200][1024];

static struct worker *smtpd_take(u64 t)
{
    struct worker *w = workers[host];
    for (unsigned i = 0; i < COUNT(workers[0]) - 1 && w->free_at > t; i++)
        w++;
    if (w->uses++ % 100 == 0)
        w->pid = 32000 + below(60000);
    w->free_at = UINT64_MAX;               /* until the session sets its end */
    return w;
}

/* Queue ids as Postfix makes them: microseconds and inode number.  Inodes are
 * used again once the message has left the queue, so a short id can come back. */
struct inode { u64 free_at; u32 number; };
struct qid { char text[24]; u32 inode; };
static struct inode *inodes;
static size_t inode_len, inode_cap;
static u32 next_inode = 0x21A40;
static struct { char text[24]; u64 free_at; } recent[256];
static unsigned recent_pos;

static void inode_release(u32 number, u64 t)
{
    size_t i = inode_len++;
    if (inode_len > inode_cap)
        inodes = realloc(inodes, (inode_cap = inode_cap ? inode_cap * 2 : 1024) * sizeof *inodes);
    for (; i && t < inodes[(i - 1) / 2].free_at; i = (i - 1) / 2)
        inodes[i] = inodes[(i - 1) / 2];
    inodes[i] = (struct inode){ t, number };
}

static u32 inode_take(u64 t)
{
    if (!inode_len || inodes[0].free_at > t)
        return next_inode += 1 + below(7);
    u32 number = inodes[0].number;
    struct inode last = inodes[--inode_len];
    size_t i = 0, c;
    while ((c = 2 * i + 1) < inode_len) {
        if (c + 1 < inode_len && inodes[c + 1].free_at < inodes[c].free_at)
            c++;
        if (inodes[c].free_at >= last.free_at)
            break;
        inodes[i] = inodes[c];
        i = c;
    }
    inodes[i] = last;
    return number;
}

static struct qid qid_new(u64 t)
{
    static const char safe[] = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";
    struct qid q = { .inode = inode_take(t) };

    if (!opt.long_ids && below(1000000) < opt.reuse_ppm) {
        unsigned k = below(COUNT(recent));
        if (recent[k].text[0] && recent[k].free_at + 2 * SEC < t) {
            memcpy(q.text, recent[k].text, sizeof q.text);
            recent[k].text[0] = 0;
            truth.reused_queue_ids++;
            return q;
        }
    }
    if (!opt.long_ids) {
        snprintf(q.text, sizeof q.text, "%05X%X", (unsigned)(t % SEC), q.inode);
    } else {
        u64 parts[3] = { t / SEC, t % SEC, q.inode };
        int width[3] = { 6, 4, 1 };
        unsigned base[3] = { 52, 52, 51 };
        char *o = q.text;
        for (int p = 0; p < 3; p++) {
            char tmp[16];
            int n = 0;
            for (u64 v = parts[p]; v || n < width[p]; v /= base[p])
                tmp[n++] = safe[v % base[p]];
            if (p == 2)
                *o++ = 'z';
            while (n)
                *o++ = tmp[--n];
        }
        *o = 0;
    }
    return q;
}

static void qid_done(const struct qid *q, u64 t)
{
    inode_release(q->inode, t);
    if (!opt.long_ids) {
        memcpy(recent[recent_pos].text, q->text, sizeof q->text);
        recent[recent_pos].free_at = t;
        recent_pos = (recent_pos + 1) % COUNT(recent);
    }
}

/* Postfix prints delays with two significant digits. */
static const char *seconds(char *dst, u64 us)
{
    double s = (double)us / 1e6;
    if (s < 0.01) strcpy(dst, "0");
    else if (s < 1) sprintf(dst, "%.2g", s);
    else if (s < 10) sprintf(dst, "%.1f", s);
    else sprintf(dst, "%.0f", s);
    return dst;
}

struct delay { char total[16], a[16], b[16], c[16], d[16]; };
static void make_delay(struct delay *y, u64 a, u64 b, u64 c, u64 d)
{
    seconds(y->total, a + b + c + d);
    seconds(y->a, a); seconds(y->b, b); seconds(y->c, c); seconds(y->d, d);
}

static void message_id(char *dst, u64 t)
{
    u32 d = below(3) ? remote_domain() : skewed(LOCAL_DOMAINS), number, part[3];
    u64 node;
    const char *name;
    switch (below(4)) {
    case 0:
        node = rnd() >> 16;
        for (u32 i = 0; i < 3; i++)
            part[2 - i] = below(65536);
        sprintf(dst, "%08x-%04x-%04x-%04x-%012" PRIx64 "@%s", (u32)rnd(), part[0], part[1], part[2], node,
                domains[d].name);
        break;
    case 1: sprintf(dst, "%" PRIu64 ".%u.JavaMail.app@%s", t / 1000, below(100000),
                    domains[d].name); break;
    case 2:
        number = (u32)rnd();
        sprintf(dst, "CA+%016" PRIx64 "%08x@mail.%s", rnd(), number, domains[d].name);
        break;
    default:
        name = first[below(COUNT(first))];
        number = below(1 << 28);
        sprintf(dst, "%u%07x.%s@%s", 20261100 + below(30), number, name, domains[d].name);
    }
}

static const char *const tls_text[] = {
    "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 "
        "server-signature RSA-PSS (2048 bits) server-digest SHA256",
    "TLSv1.2 with cipher ECDHE-RSA-AES256-GCM-SHA384 (256/256 bits)",
    "TLSv1.3 with cipher TLS_AES_128_GCM_SHA256 (128/128 bits) key-exchange X25519 "
        "server-signature ECDSA (P-256) server-digest SHA256",
    "TLSv1.2 with cipher ECDHE-ECDSA-AES128-GCM-SHA256 (128/128 bits)" };

struct client { char name[64], ip[40], both[112]; u32 domain; };

static struct client mail_client(u32 d)
{
    struct client c;
    c.domain = d;
    snprintf(c.name, sizeof c.name, "%s", domains[d].mx);
    snprintf(c.ip, sizeof c.ip, "%s", domains[d].ip);
    snprintf(c.both, sizeof c.both, "%s[%s]", c.name, c.ip);
    return c;
}
static struct client bad_client(void)
{
    struct client c;
    u32 n = (u32)rnd();
    c.domain = NO_DOMAIN;
    if (!below(4))
        n = skewed(200);                     /* a few sources never stop */
    make_ip(c.ip, n, 100u << 24 | 64u << 16, 0x3FFFFF);
    if (below(3))
        strcpy(c.name, "unknown");
    else
        snprintf(c.name, sizeof c.name, "%u-%u.dyn.%s", n >> 8 & 255, n & 255,
                 domains[n % opt.domains].name);
    snprintf(c.both, sizeof c.both, "%s[%s]", c.name, c.ip);
    return c;
}

/* -------------------------------------------------------------- deliveries */

enum { MAX_RCPT = 40 };
struct rcpt { struct address a; int done; };

static void delivered_local(u64 t, const struct qid *q, const struct address *to, u32 size, u64 age)
{
    struct delay y;
    u64 d = between(5 * MS, 400 * MS), c = between(0, 30 * MS), b = between(2 * MS, 20 * MS);
    u32 low, high;
    make_delay(&y, age, b, c, d);
    switch (to->domain % 4) {
    case 0:
        line(t, A_SENT, G_VIRTUAL, to->domain, size, "postfix/virtual[%u]: %s: to=<%s>, relay=virtual, "
             "delay=%s, delays=%s/%s/%s/%s, dsn=2.0.0, status=sent (delivered to maildir)", process_id(),
             q->text, to->text, y.total, y.a, y.b, y.c, y.d);
        break;
    case 1:
        line(t, A_SENT, G_PIPE, to->domain, size, "postfix/pipe[%u]: %s: to=<%s>, relay=dovecot, delay=%s, "
             "delays=%s/%s/%s/%s, dsn=2.0.0, status=sent (delivered via dovecot service)", process_id(),
             q->text, to->text, y.total, y.a, y.b, y.c, y.d);
        break;
    default:
        low = (u32)rnd(), high = (u32)rnd();
        line(t - 1 * MS, A_NONE, 0, NO_DOMAIN, 0, "dovecot: lmtp(%s)<%u><%08x%08x>: msgid=<x@y>: saved "
             "mail to INBOX", to->text, process_id(), high, low);
        low = (u32)rnd(), high = (u32)rnd();
        line(t, A_SENT, G_LMTP, to->domain, size, "postfix/lmtp[%u]: %s: to=<%s>, "
             "relay=mx%u.%s[private/dovecot-lmtp], delay=%s, delays=%s/%s/%s/%s, dsn=2.0.0, status=sent "
             "(250 2.0.0 <%s> %08x%08x Saved)", process_id(), q->text, to->text, host + 1,
             domains[0].name, y.total, y.a, y.b, y.c, y.d, to->text, high, low);
    }
}

static const char *const hard_error[] = {
    "550 5.1.1 <%s>: Recipient address rejected: User unknown in virtual mailbox table (in reply to RCPT TO command)",
    "550-5.1.1 The email account that you tried to reach does not exist. Please try 550-5.1.1 double-checking the address <%s> (in reply to RCPT TO command)",
    "554 5.7.1 <%s>: Relay access denied (in reply to RCPT TO command)",
    "552 5.2.2 <%s>: mailbox full (in reply to end of DATA command)",
    "550 5.7.1 Message to <%s> rejected because of its content (in reply to end of DATA command)" };
static const char *const soft_error[] = {
    "451 4.7.1 <%s>: Recipient address rejected: Greylisted, please try again later (in reply to RCPT TO command)",
    "452 4.2.2 <%s>: The recipient's inbox is out of storage space (in reply to RCPT TO command)",
    "421 4.7.0 Try again later, closing connection for <%s>. (in reply to end of DATA command)",
    "450 4.1.1 <%s>: unverified address: lookup failed (in reply to RCPT TO command)" };

static int bounce_notice(u64 t, const struct qid *parent, const struct address *sender);

/* Delivers to remote recipients, with retries.  Returns the time of the last line;
 * *bounced tells whether somebody must be told. */
static u64 deliver_remote(u64 t0, u64 t, const struct qid *q, const char *from, struct rcpt *r, int n,
                          u32 size, int *bounced)
{
    static const u64 backoff[] = { 0, 300 * SEC, 600 * SEC, 1200 * SEC, 2400 * SEC, 4000 * SEC,
                                   4000 * SEC };
    u64 last = t;
    int left = n;

    for (unsigned attempt = 0; left; attempt++) {
        u64 now = t + between(50 * MS, 900 * MS);
        if (attempt) {
            line(t, A_ACTIVE_AGAIN, 0, NO_DOMAIN, size, "postfix/qmgr[812]: %s: from=<%s>, size=%u, nrcpt=%d "
                 "(queue active)", q->text, from, size, n);
        }
        if (attempt == COUNT(backoff) - 1) {       /* gives up */
            for (int i = 0; i < n; i++)
                if (!r[i].done)
                    r[i].done = 1;
            line(now, A_EXPIRED, 0, NO_DOMAIN, size, "postfix/qmgr[812]: %s: from=<%s>, status=expired, "
                 "returned to sender", q->text, from);
            *bounced = 1;
            return now;
        }
        for (int i = 0; i < n; i++) {
            if (r[i].done)
                continue;
            const struct address *to = &r[i].a;
            const struct domain *d = &domains[to->domain];
            u64 b = between(5 * MS, 30 * MS), c = between(20 * MS, 400 * MS);
            u64 x = between(80 * MS, 1500 * MS);
            struct delay y;
            make_delay(&y, t - t0, b, c, x);
            now += x / 4;
            int slow_domain = to->domain % 37 == 5, bad_domain = to->domain % 97 == 11;
            double p = unit();
            if (bad_domain) {                       /* never answers */
                if (i == 0)
                    LINE(now - 1, A_NONE, "postfix/smtp[%u]: connect to %s[%s]:25: Connection timed out",
                         process_id(), d->mx, d->ip);
                line(now, A_DEFERRED, G_SMTP, to->domain, size, "postfix/smtp[%u]: %s: to=<%s>, relay=none, "
                     "delay=%s, delays=%s/%s/%s/0, dsn=4.4.1, status=deferred (connect to %s[%s]:25: "
                     "Connection timed out)", process_id(), q->text, to->text, y.total, y.a, y.b, y.c, d->mx,
                     d->ip);
            } else if (p < 0.02) {
                char why[512];
                unsigned k = below(COUNT(hard_error));
                snprintf(why, sizeof why, hard_error[k], to->text);
                line(now, A_BOUNCED, G_SMTP, to->domain, size, "postfix/smtp[%u]: %s: to=<%s>, "
                     "relay=%s[%s]:25, delay=%s, delays=%s/%s/%s/%s, dsn=%.5s, status=bounced (host %s[%s] "
                     "said: %s)", process_id(), q->text, to->text, d->mx, d->ip, y.total, y.a, y.b, y.c,
                     y.d, why + 4, d->mx, d->ip, why);
                r[i].done = 1, left--, *bounced = 1;
            } else if (p < 0.025 && attempt == 0) {
                line(now, A_BOUNCED, G_SMTP, to->domain, size, "postfix/smtp[%u]: %s: to=<%s>, relay=none, "
                     "delay=%s, delays=%s/%s/%s/0, dsn=5.4.4, status=bounced (Host or domain name not found. "
                     "Name service error for name=%s type=AAAA: Host not found)", process_id(), q->text,
                     to->text, y.total, y.a, y.b, y.c, d->name);
                r[i].done = 1, left--, *bounced = 1;
            } else if (p < (slow_domain ? 0.6 : 0.07)) {
                char why[512];
                unsigned k = below(COUNT(soft_error));
                snprintf(why, sizeof why, soft_error[k], to->text);
                if (below(3) == 0)
                    LINE(now - 2, A_NONE, "postfix/smtp[%u]: %s: host %s[%s] said: %s", process_id(), q->text,
                         d->mx, d->ip, why);
                line(now, A_DEFERRED, G_SMTP, to->domain, size, "postfix/smtp[%u]: %s: to=<%s>, "
                     "relay=%s[%s]:25, delay=%s, delays=%s/%s/%s/%s, dsn=%.5s, status=deferred (host %s[%s] "
                     "said: %s)", process_id(), q->text, to->text, d->mx, d->ip, y.total, y.a, y.b, y.c,
                     y.d, why + 4, d->mx, d->ip, why);
            } else {
                unsigned tls = 0, other;
                if (i == 0 && below(4)) {
                    const char *cipher = tls_text[below(COUNT(tls_text))];
                    const char *trust = below(5) ? "Untrusted" : "Verified";
                    tls = process_id();
                    LINE(now - 50 * MS, A_TLS_OUT, "postfix/smtp[%u]: %s TLS connection established to "
                         "%s[%s]:25: %s", tls, trust, d->mx, d->ip, cipher);
                }
                u32 low = below(65536), high = (u32)rnd();
                other = process_id();
                line(now, A_SENT, G_SMTP, to->domain, size, "postfix/smtp[%u]: %s: to=<%s>, "
                     "relay=%s[%s]:25, delay=%s, delays=%s/%s/%s/%s, dsn=2.0.0, status=sent (250 2.0.0 Ok: "
                     "queued as %08X%04X)", tls ? tls : other, q->text, to->text, d->mx, d->ip, y.total, y.a, y.b,
                     y.c, y.d, high, low);
                r[i].done = 1, left--;
            }
        }
        last = now;
        if (left)
            t += backoff[attempt + 1 < COUNT(backoff) ? attempt + 1 : COUNT(backoff) - 1] +
                 between(0, 60 * SEC);
    }
    return last;
}

static void removed(u64 t, const struct qid *q)
{
    LINE(t, A_REMOVED, "postfix/qmgr[812]: %s: removed", q->text);
    qid_done(q, t);
}

static void queued(u64 t, const struct qid *q, const char *mid, const char *from, u32 from_domain, u32 size,
                   int nrcpt)
{
    LINE(t, A_MESSAGE_ID, "postfix/cleanup[%u]: %s: message-id=<%s>", process_id(), q->text, mid);
    line(t + 20 * MS, A_ACTIVE_FIRST, 0, from_domain, size, "postfix/qmgr[812]: %s: from=<%s>, size=%u, "
         "nrcpt=%d (queue active)", q->text, from, size, nrcpt);
}

static int bounce_notice(u64 t, const struct qid *parent, const struct address *sender)
{
    struct qid q = qid_new(t);
    char mid[160];
    u32 size = 2500 + below(4000);

    snprintf(mid, sizeof mid, "20261101000000.%s@mx%u.%s", q.text, host + 1, domains[0].name);
    LINE(t + 1, A_RECEIVED_BOUNCE, "postfix/bounce[%u]: %s: sender non-delivery notification: %s",
         process_id(), parent->text, q.text);
    queued(t, &q, mid, "", NO_DOMAIN, size, 1);
    truth.logical_messages++;
    if (sender->domain < LOCAL_DOMAINS) {
        delivered_local(t + 90 * MS, &q, sender, size, 30 * MS);
        removed(t + 95 * MS, &q);
    } else {
        struct rcpt r = { .a = *sender };
        int bounced = 0;
        u64 end = deliver_remote(t, t + 60 * MS, &q, "", &r, 1, size, &bounced);
        removed(end + 5 * MS, &q);               /* a bounce never bounces */
    }
    return 1;
}

/* Runs a message through the content filter and back; returns the new queue id. */
static struct qid through_amavis(u64 *t, const struct qid *q, const char *from, u32 from_domain,
                                 struct rcpt *r, int n, u32 size, const char *mid, const struct client *c)
{
    u64 scan = between(300 * MS, 2500 * MS), back = *t + scan;
    struct qid q2 = qid_new(back);
    struct worker *w = smtpd_take(back - 30 * MS);
    unsigned smtpd = w->pid, smtp = process_id();
    struct delay y;

    LINE(back - 30 * MS, A_CONNECT, "postfix/smtpd[%u]: connect from localhost[127.0.0.1]", smtpd);
    LINE(back - 20 * MS, A_RECEIVED_SMTP, "postfix/smtpd[%u]: %s: client=localhost[127.0.0.1], "
         "orig_queue_id=%s, orig_client=%s", smtpd, q2.text, q->text, c->both);
    queued(back - 10 * MS, &q2, mid, from, from_domain, size + 480, n);
    LINE(back + 15 * MS, A_DISCONNECT, "postfix/smtpd[%u]: disconnect from localhost[127.0.0.1] ehlo=1 mail=1 "
         "rcpt=%d data=1 quit=1 commands=%d", smtpd, n, 4 + n);
    w->free_at = back + 16 * MS;
    double hits = unit() * 6 - 3;
    u32 low = below(65536), high = (u32)rnd(), port = 1024 + below(60000), part = below(20), task = below(99999);
    LINE(back + 12 * MS, A_NONE, "amavis[%u]: (%05u-%02u) Passed CLEAN {RelayedInbound}, [%s]:%u [%s] <%s> -> "
         "<%s>, Queue-ID: %s, Message-ID: <%s>, mail_id: %08x%04x, Hits: %.3f, size: %u, queued_as: %s, %u ms",
         process_id(), task, part, c->ip, port, c->ip, from, r[0].a.text, q->text, mid, high, low, hits, size,
         q2.text, (unsigned)(scan / MS));
    make_delay(&y, 60 * MS, 10 * MS, 2 * MS, scan);
    for (int i = 0; i < n; i++)
        line(back + 20 * MS, A_SENT, G_AMAVIS, r[i].a.domain, size, "postfix/smtp[%u]: %s: to=<%s>, "
             "relay=127.0.0.1[127.0.0.1]:10024, delay=%s, delays=%s/%s/%s/%s, dsn=2.0.0, status=sent (250 2.0.0 "
             "from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as %s)", smtp, q->text, r[i].a.text,
             y.total, y.a, y.b, y.c, y.d, q2.text);
    removed(back + 22 * MS, q);
    *t = back;
    return q2;
}

/* ---------------------------------------------------------------- sessions */

static void inbound(u64 t)
{
    u32 d = remote_domain();
    struct client c = mail_client(d);
    struct worker *w = smtpd_take(t);
    unsigned pid = w->pid;
    int messages = chance(0.06) ? 2 + (int)below(3) : 1, rcpts = 0, v6 = strchr(c.ip, ':') != NULL;

    if (chance(0.3)) {
        LINE(t - 7 * SEC, A_NONE, "postfix/postscreen[901]: CONNECT from [%s]:%u to [198.18.0.1]:25", c.ip,
             1024 + below(60000));
        u32 port = 1024 + below(60000);
        LINE(t - SEC / 10, A_NONE, "postfix/postscreen[901]: PASS %s [%s]:%u", below(5) ? "OLD" : "NEW", c.ip, port);
    }
    LINE(t, A_CONNECT, "postfix/smtpd[%u]: connect from %s", pid, c.both);
    if (chance(0.8))
        LINE(t + 90 * MS, A_TLS_IN, "postfix/smtpd[%u]: Anonymous TLS connection established from %s: %s", pid,
             c.both, tls_text[below(COUNT(tls_text))]);
    t += 150 * MS;
    for (int m = 0; m < messages; m++) {
        struct rcpt r[MAX_RCPT];
        int n = chance(0.85) ? 1 : 2 + (int)skewed(9);
        struct address from = address_at(d);
        char mid[160];
        u32 size = message_size(), local = 0;
        u64 t0 = t;
        struct qid q = qid_new(t);

        local_domain(&local);
        for (int i = 0; i < n; i++)
            r[i] = (struct rcpt){ .a = address_at(local) };
        rcpts += n;
        message_id(mid, t);
        LINE(t, A_RECEIVED_SMTP, "postfix/smtpd[%u]: %s: client=%s", pid, q.text, c.both);
        truth.logical_messages++;
        if (chance(0.04)) {                       /* refused by the filter after DATA */
            LINE(t + 60 * MS, A_MESSAGE_ID, "postfix/cleanup[%u]: %s: message-id=<%s>", process_id(), q.text, mid);
            const char *reason = below(2) ? "Spam message rejected" : "rejected by DMARC policy for sender domain";
            line(t + 300 * MS, A_MILTER_REJECT, 0, d, 0, "postfix/cleanup[%u]: %s: milter-reject: END-OF-MESSAGE "
                 "from %s: 5.7.1 %s; from=<%s> to=<%s> proto=ESMTP helo=<%s>", process_id(), q.text, c.both,
                 reason, from.text, r[0].a.text, c.name);
            qid_done(&q, t + 300 * MS);
            t += 600 * MS;
            continue;
        }
        if (chance(0.01)) {
            LINE(t + 60 * MS, A_DISCARD, "postfix/cleanup[%u]: %s: discard: header Subject: win a prize now from %s; "
                 "from=<%s> to=<%s> proto=ESMTP helo=<%s>: policy", process_id(), q.text, c.both, from.text,
                 r[0].a.text, c.name);
            qid_done(&q, t + 60 * MS);
            t += 300 * MS;
            continue;
        }
        LINE(t + 100 * MS, A_NONE, "opendkim[455]: %s: %s [%s] not internal", q.text, c.name, c.ip);
        if (chance(0.8))
            LINE(t + 101 * MS, A_NONE, "opendkim[455]: %s: DKIM verification successful", q.text);
        LINE(t + 105 * MS, A_NONE, "opendmarc[460]: %s: %s %s", q.text, domains[d].name,
             below(6) ? "pass" : below(2) ? "none" : "fail");
        queued(t + 60 * MS, &q, mid, from.text, d, size, n);
        u64 now = t + 110 * MS;
        struct qid final = q;
        if (chance(0.45)) {
            final = through_amavis(&now, &q, from.text, d, r, n, size, mid, &c);
            t0 = now;
            size += 480;                           /* the filter's headers */
        }
        for (int i = 0; i < n; i++)
            delivered_local(now + 60 * MS + (u64)i * 7 * MS, &final, &r[i].a, size, now - t0 + 40 * MS);
        removed(now + 80 * MS + (u64)n * 7 * MS, &final);
        t += 700 * MS;
    }
    LINE(t, A_DISCONNECT, "postfix/smtpd[%u]: disconnect from %s ehlo=%d starttls=1 mail=%d rcpt=%d %s=%d quit=1 "
         "commands=%d", pid, c.both, 2, messages, rcpts, v6 ? "bdat" : "data", messages,
         4 + 2 * messages + rcpts);
    w->free_at = t + MS;
}

static void submission(u64 t)
{
    struct client c = bad_client();
    struct worker *w = smtpd_take(t);
    unsigned pid = w->pid;
    struct rcpt r[MAX_RCPT];
    int n = chance(0.75) ? 1 : chance(0.9) ? 2 + (int)below(5) : 10 + (int)below(MAX_RCPT - 10), bounced = 0;
    struct address from = address_at(skewed(LOCAL_DOMAINS));
    char mid[160];
    u32 size = message_size();
    struct qid q = qid_new(t + 200 * MS);

    for (int i = 0; i < n; i++)
        r[i] = (struct rcpt){ .a = address_at(remote_domain()) };
    message_id(mid, t);
    truth.logical_messages++;
    LINE(t, A_CONNECT, "postfix/submission/smtpd[%u]: connect from %s", pid, c.both);
    LINE(t + 90 * MS, A_TLS_IN, "postfix/submission/smtpd[%u]: Anonymous TLS connection established from %s: %s",
         pid, c.both, tls_text[below(COUNT(tls_text))]);
    LINE(t + 200 * MS, A_RECEIVED_AUTH, "postfix/submission/smtpd[%u]: %s: client=%s, sasl_method=%s, "
         "sasl_username=%s", pid, q.text, c.both, below(3) ? "PLAIN" : "LOGIN", from.text);
    LINE(t + 300 * MS, A_NONE, "opendkim[455]: %s: DKIM-Signature field added (s=s2026, d=%s)", q.text,
         domains[from.domain].name);
    queued(t + 250 * MS, &q, mid, from.text, from.domain, size, n);
    LINE(t + 500 * MS, A_DISCONNECT, "postfix/submission/smtpd[%u]: disconnect from %s ehlo=2 starttls=1 auth=1 "
         "mail=1 rcpt=%d data=1 quit=1 commands=%d", pid, c.both, n, 7 + n);
    u64 end = deliver_remote(t, t + 400 * MS, &q, from.text, r, n, size, &bounced);
    if (bounced)
        bounce_notice(end + 10 * MS, &q, &from);
    removed(end + 20 * MS, &q);
    w->free_at = t + 501 * MS;
}

static void local_mail(u64 t)
{
    struct qid q = qid_new(t);
    char mid[160];
    u32 size = 500 + below(3000);
    struct delay y;

    snprintf(mid, sizeof mid, "20261101010101.%s@mx%u.%s", q.text, host + 1, domains[0].name);
    truth.logical_messages++;
    LINE(t, A_RECEIVED_PICKUP, "postfix/pickup[%u]: %s: uid=0 from=<root>", process_id(), q.text);
    char from[80];
    snprintf(from, sizeof from, "root@mx%u.%s", host + 1, domains[0].name);
    queued(t + 5 * MS, &q, mid, from, 0, size, 1);
    make_delay(&y, 20 * MS, 5 * MS, 0, 10 * MS);
    line(t + 50 * MS, A_SENT, G_LOCAL, 0, size, "postfix/local[%u]: %s: to=<root@mx%u.%s>, orig_to=<root>, "
         "relay=local, delay=%s, delays=%s/%s/%s/%s, dsn=2.0.0, status=sent (delivered to mailbox)", process_id(),
         q.text, host + 1, domains[0].name, y.total, y.a, y.b, y.c, y.d);
    removed(t + 55 * MS, &q);
}

static void rejected(u64 t)
{
    struct client c = bad_client();
    struct worker *w = smtpd_take(t);
    unsigned pid = w->pid;
    u32 fd = remote_domain(), ld;
    int tries = 1 + (int)skewed(4);
    char helo[128];
    struct address from = address_at(fd);

    snprintf(helo, sizeof helo, "%s", below(3) ? domains[fd].mx : c.ip);
    if (below(3) == 0)
        LINE(t - 1, A_WARNING, "postfix/smtpd[%u]: warning: hostname %u.dyn.%s does not resolve to address %s: Name "
             "or service not known", pid, below(255), domains[fd].name, c.ip);
    LINE(t, A_CONNECT, "postfix/smtpd[%u]: connect from %s", pid, c.both);
    unsigned kind = below(12);
    for (int i = 0; i < tries; i++) {
        local_domain(&ld);
        struct address to = address_at(ld);
        char tail[800], why[600];
        enum act act = A_REJECT;
        const char *verb = "reject";
        const char *proto = below(8) ? "ESMTP" : "SMTP";

        snprintf(tail, sizeof tail, "from=<%s> to=<%s> proto=%s helo=<%s>", from.text, to.text, proto, helo);
        switch (kind) {
        case 0: case 1: case 2:
            snprintf(why, sizeof why, "554 5.7.1 Service unavailable; Client host [%s] blocked using "
                     "dnsbl.example.test; https://www.example.test/query/ip/%s", c.ip, c.ip); break;
        case 3: case 4:
            snprintf(why, sizeof why, "450 4.2.0 <%s>: Recipient address rejected: Greylisted, see "
                     "http://greylist.example/help/%s.html", to.text, domains[ld].name); break;
        case 5: case 6:
            snprintf(why, sizeof why, "550 5.1.1 <%s>: Recipient address rejected: User unknown in virtual mailbox "
                     "table", to.text); break;
        case 7: snprintf(why, sizeof why, "554 5.7.1 <%s>: Relay access denied", to.text); break;
        case 8: snprintf(why, sizeof why, "450 4.7.25 Client host rejected: cannot find your hostname, [%s]",
                         c.ip); break;
        case 9: snprintf(why, sizeof why, "504 5.5.2 <%s>: Helo command rejected: need fully-qualified hostname",
                         helo); break;
        case 10: snprintf(why, sizeof why, "450 4.1.8 <%s>: Sender address rejected: Domain not found",
                          from.text); break;
        default: snprintf(why, sizeof why, "550 5.7.23 <%s>: Recipient address rejected: Message rejected due to: SPF "
                          "fail - not authorized. Please see http://www.example.test/Why?s=mfrom;id=%s;ip=%s",
                          to.text, from.text, c.ip); break;
        }
        if (kind == 8 && chance(0.2))
            act = A_REJECT_WARNING, verb = "reject_warning";
        line(t + (u64)(i + 1) * 120 * MS, act, 0, ld, 0, "postfix/smtpd[%u]: NOQUEUE: %s: RCPT from %s: %s; %s", pid,
             verb, c.both, why, tail);
    }
    t += 900 * MS;
    if (below(3) == 0)
        LINE(t - 1, A_LOST, "postfix/smtpd[%u]: lost connection after RCPT from %s", pid, c.both);
    LINE(t, A_DISCONNECT, "postfix/smtpd[%u]: disconnect from %s ehlo=1 mail=1 rcpt=0/%d quit=1 commands=3/%d", pid,
         c.both, tries, 3 + tries);
    w->free_at = t + MS;
}

static void password_guess(u64 t)
{
    struct client c = bad_client();
    struct worker *w = smtpd_take(t);
    unsigned pid = w->pid;
    struct address who = address_at(skewed(LOCAL_DOMAINS));
    int tries = 1 + (int)skewed(4), named = below(2) != 0;
    const char *service = below(2) ? "postfix/smtpd" : "postfix/submission/smtpd";

    LINE(t, A_CONNECT, "%s[%u]: connect from %s", service, pid, c.both);
    for (int i = 0; i < tries; i++) {
        u64 at = t + (u64)(i + 1) * 2 * SEC;
        if (named)
            line(at, A_AUTH_FAIL, 0, NO_DOMAIN, 0, "%s[%u]: warning: %s: SASL LOGIN authentication failed: "
                 "UGFzc3dvcmQ6, sasl_username=%s", service, pid, c.both, who.text);
        else
            line(at, A_AUTH_FAIL, 0, NO_DOMAIN, 0, "%s[%u]: warning: %s: SASL %s authentication failed: (reason "
                 "unavailable)", service, pid, c.both, below(2) ? "PLAIN" : "LOGIN");
    }
    t += (u64)(tries + 1) * 2 * SEC;
    if (below(3))
        LINE(t - 1, A_LOST, "%s[%u]: lost connection after AUTH from %s", service, pid, c.both);
    LINE(t, A_DISCONNECT, "%s[%u]: disconnect from %s ehlo=1 auth=0/%d commands=1/%d", service, pid, c.both, tries,
         1 + tries);
    w->free_at = t + MS;
}

static void postscreen(u64 t)
{
    struct client c = bad_client();
    unsigned port = 1024 + below(60000);
    u32 ld;
    local_domain(&ld);
    struct address from = address_at(remote_domain()), to = address_at(ld);

    LINE(t, A_NONE, "postfix/postscreen[901]: CONNECT from [%s]:%u to [198.18.0.1]:25", c.ip, port);
    u32 answer = 2 + below(9);
    LINE(t + 30 * MS, A_NONE, "postfix/dnsblog[%u]: addr %s listed by domain dnsbl.example.test as 127.0.0.%u",
         process_id(), c.ip, answer);
    if (below(3) == 0)
        LINE(t + 2 * SEC, A_NONE, "postfix/postscreen[901]: PREGREET 14 after 0.08 from [%s]:%u: EHLO ylmf-pc\\r\\n",
             c.ip, port);
    LINE(t + 6 * SEC, A_NONE, "postfix/postscreen[901]: DNSBL rank %u for [%s]:%u", 3 + below(6), c.ip, port);
    line(t + 6 * SEC + 300 * MS, A_POSTSCREEN_REJECT, 0, ld, 0, "postfix/postscreen[901]: NOQUEUE: reject: RCPT from "
         "[%s]:%u: 550 5.7.1 Service unavailable; client [%s] blocked using dnsbl.example.test; from=<%s>, to=<%s>, "
         "proto=ESMTP, helo=<%s>", c.ip, port, c.ip, from.text, to.text, c.name);
    if (below(2))
        LINE(t + 7 * SEC, A_NONE, "postfix/postscreen[901]: HANGUP after 0.6 from [%s]:%u in tests after SMTP "
             "handshake", c.ip, port);
    LINE(t + 7 * SEC + 1, A_NONE, "postfix/postscreen[901]: DISCONNECT [%s]:%u", c.ip, port);
}

static void noise(u64 t)
{
    struct client c = bad_client();
    struct worker *w = smtpd_take(t);
    unsigned pid = w->pid;
    u32 low, high, per_cent;
    const char *user, *domain;

    w->free_at = t;
    switch (below(8)) {
    case 0:
        LINE(t, A_ANVIL, "postfix/anvil[%u]: statistics: max connection rate %u/60s for (smtp:%s) at Nov  1 00:00:00",
             pid, 1 + below(40), c.ip);
        LINE(t + 1, A_ANVIL, "postfix/anvil[%u]: statistics: max cache size %u at Nov  1 00:00:00", pid, 1 + below(90));
        return;
    case 1:
        LINE(t, A_CONNECT, "postfix/smtpd[%u]: connect from %s", pid, c.both);
        LINE(t + SEC, A_NONE, "postfix/smtpd[%u]: SSL_accept error from %s: lost connection", pid, c.both);
        break;
    case 2:
        LINE(t, A_CONNECT, "postfix/smtpd[%u]: connect from %s", pid, c.both);
        LINE(t + SEC, A_WARNING, "postfix/smtpd[%u]: warning: TLS library problem: error:1408F10B:SSL routines:"
             "ssl3_get_record:wrong version number:ssl/record/ssl3_record.c:332:", pid);
        break;
    case 3:
        low = (u32)rnd(), high = (u32)rnd();
        domain = domains[skewed(LOCAL_DOMAINS)].name, user = first[below(COUNT(first))];
        LINE(t, A_NONE, "dovecot: imap-login: Login: user=<%s@%s>, method=PLAIN, rip=%s, lip=198.18.0.1, mpid=%u, TLS, "
             "session=<%08x%08x>", user, domain, c.ip, pid, high, low);
        return;
    case 4:
        per_cent = below(100), low = below(50), high = below(50);
        LINE(t, A_NONE, "postfix/scache[%u]: statistics: domain lookup hits=%u miss=%u success=%u%%", pid, high, low,
             per_cent);
        return;
    case 5:
        LINE(t, A_NONE, "policyd-spf[%u]: prepend Received-SPF: Pass (mailfrom) identity=mailfrom; client-ip=%s; "
             "helo=%s; envelope-from=x@%s; receiver=<UNKNOWN>", pid, c.ip, c.name, domains[remote_domain()].name);
        return;
    case 6:
        LINE(t, A_NONE, "postfix/tlsproxy[%u]: CONNECT from [%s]:%u", pid, c.ip, 1024 + below(60000));
        return;
    default:
        LINE(t, A_CONNECT, "postfix/smtpd[%u]: connect from %s", pid, c.both);
        LINE(t + 4 * SEC, A_NONE, "postfix/smtpd[%u]: improper command pipelining after CONNECT from %s: "
             "\\026\\003\\001\\000", pid, c.both);
        break;
    }
    LINE(t + 5 * SEC, A_LOST, "postfix/smtpd[%u]: lost connection after CONNECT from %s", pid, c.both);
    LINE(t + 5 * SEC + 1, A_DISCONNECT, "postfix/smtpd[%u]: disconnect from %s commands=0/0", pid, c.both);
    w->free_at = t + 6 * SEC;
}

/* Share of each kind of session, out of 100. */
static const struct { void (*build)(u64); double share; } mix[] = {
    { inbound, 33 }, { submission, 15 }, { rejected, 20 }, { password_guess, 13 }, { postscreen, 7 },
    { local_mail, 2 }, { noise, 10 } };

/* -------------------------------------------------------------------- main */

static int by_sent(const void *a, const void *b)
{
    const struct tally *x = &per_domain[*(const u32 *)a], *y = &per_domain[*(const u32 *)b];
    if (x->sent != y->sent)
        return x->sent < y->sent ? 1 : -1;
    return (*(const u32 *)a > *(const u32 *)b) - (*(const u32 *)a < *(const u32 *)b);
}

static void write_truth(FILE *f)
{
    static const u64 *v = truth.by_act;
    u32 *order = malloc(opt.domains * sizeof *order);
    const char *sep = "";

    fprintf(f, "{\n \"lines\": %" PRIu64 ",\n \"bytes\": %" PRIu64 ",\n \"seed\": %" PRIu64 ",\n", truth.lines,
            truth.bytes, opt.seed);
    fprintf(f, " \"first_time\": %.6f,\n \"last_time\": %.6f,\n", (double)truth.first_time / 1e6,
            (double)truth.last_time / 1e6);
    fprintf(f, " \"received\": %" PRIu64 ",\n",
            v[A_RECEIVED_SMTP] + v[A_RECEIVED_AUTH] + v[A_RECEIVED_PICKUP] + v[A_RECEIVED_BOUNCE]);
    fprintf(f, " \"rejected_total\": %" PRIu64 ",\n", v[A_REJECT] + v[A_POSTSCREEN_REJECT] + v[A_MILTER_REJECT]);
    fprintf(f, " \"bytes_received\": %" PRIu64 ",\n \"bytes_delivered\": %" PRIu64 ",\n", truth.bytes_received,
            truth.bytes_delivered);
    fprintf(f, " \"logical_messages_built\": %" PRIu64 ",\n \"reused_queue_ids_built\": %" PRIu64 ",\n",
            truth.logical_messages, truth.reused_queue_ids);
    fprintf(f, " \"lines_by_meaning\": {");
    for (int i = 0; i < A_COUNT; i++, sep = ",")
        fprintf(f, "%s\n  \"%s\": %" PRIu64, sep, act_name[i], v[i]);
    fprintf(f, "\n },\n \"sent_by_agent\": {");
    sep = "";
    for (size_t i = 0; i < COUNT(agent_name); i++, sep = ",")
        fprintf(f, "%s\n  \"%s\": %" PRIu64, sep, agent_name[i], truth.sent_by_agent[i]);
    fprintf(f, "\n },\n \"sent_by_hour_of_day_utc\": [");
    for (int i = 0; i < 24; i++)
        fprintf(f, "%s%" PRIu64, i ? ", " : "", truth.hour[i]);
    fprintf(f, "],\n \"domains\": {");
    sep = "";
    for (u32 i = 0; i < opt.domains; i++)
        order[i] = i;
    qsort(order, opt.domains, sizeof *order, by_sent);
    for (u32 k = 0; k < opt.domains; k++) {
        const struct tally *y = &per_domain[order[k]];
        if (!(y->sent | y->deferred | y->bounced | y->rejected | y->from_messages))
            continue;
        fprintf(f, "%s\n  \"%s\": {\"sent\": %" PRIu64 ", \"deferred\": %" PRIu64 ", \"bounced\": %" PRIu64
                ", \"rejected\": %" PRIu64 ", \"from_messages\": %" PRIu64 ", \"from_bytes\": %" PRIu64 "}", sep,
                domains[order[k]].name, y->sent, y->deferred, y->bounced, y->rejected, y->from_messages,
                y->from_bytes);
        sep = ",";
    }
    fprintf(f, "\n }\n}\n");
    free(order);
}

static u64 parse_size(const char *s)
{
    char *end;
    double v = strtod(s, &end);
    switch (*end) {
    case 'k': case 'K': v *= 1e3; break;
    case 'm': case 'M': v *= 1e6; break;
    case 'g': case 'G': v *= 1e9; break;
    }
    return (u64)v;
}

static void usage(FILE *f)
{
    fputs("usage: genlog [options]\n"
          "Writes a realistic Postfix log; the truth (what an analyzer must find) goes to --truth as JSON.\n\n"
          "  --size N[K|M|G]   stop starting sessions at this many bytes (default 200M)\n"
          "  --out FILE        the log (default standard output)\n"
          "  --truth FILE      the ground truth as JSON (default none)\n"
          "  --seed N          same seed and options, same bytes (default 1)\n"
          "  --iso             RFC 3339 timestamps with microseconds (default \"Nov  1 00:00:00\")\n"
          "  --long-ids        long queue ids (enable_long_queue_ids = yes)\n"
          "  --hosts N         number of mail hosts in the log (default 1)\n"
          "  --domains N       number of domains (default 5000)\n"
          "  --rate R          mean sessions per second (default 6)\n"
          "  --reuse PPM       messages per million that get a recently used queue id (default 500)\n"
          "  --start EPOCH     time of the first session (default 1793491200, 2026-11-01)\n"
          "  --cut             end abruptly at --size, leaving messages open, as a rotated log does\n"
          "  --help            this text\n", f);
}

int main(int argc, char **argv)
{
    static const struct option longopts[] = {
        { "size", 1, 0, 's' }, { "out", 1, 0, 'o' }, { "truth", 1, 0, 't' }, { "seed", 1, 0, 'e' },
        { "iso", 0, 0, 'i' }, { "long-ids", 0, 0, 'l' }, { "hosts", 1, 0, 'H' }, { "domains", 1, 0, 'd' },
        { "rate", 1, 0, 'r' }, { "reuse", 1, 0, 'u' }, { "start", 1, 0, 'b' }, { "cut", 0, 0, 'c' },
        { "help", 0, 0, 'h' }, { 0 } };
    int o;

    while ((o = getopt_long(argc, argv, "h", longopts, NULL)) != -1)
        switch (o) {
        case 's': opt.size = parse_size(optarg); break;
        case 'o': opt.out = optarg; break;
        case 't': opt.truth = optarg; break;
        case 'e': opt.seed = strtoull(optarg, NULL, 10); break;
        case 'i': opt.iso = 1; break;
        case 'l': opt.long_ids = 1; break;
        case 'H': opt.hosts = (unsigned)atoi(optarg); break;
        case 'd': opt.domains = (unsigned)atoi(optarg); break;
        case 'r': opt.rate = atof(optarg); break;
        case 'u': opt.reuse_ppm = (unsigned)atoi(optarg); break;
        case 'b': opt.start = strtoull(optarg, NULL, 10); break;
        case 'c': opt.cut = 1; break;
        case 'h': usage(stdout); return 0;
        default: usage(stderr); return 2;
        }
    if (opt.domains < LOCAL_DOMAINS * 2 || !opt.hosts || opt.hosts > 200 || opt.rate <= 0 || optind < argc) {
        usage(stderr);
        return 2;
    }
    out = opt.out ? fopen(opt.out, "w") : stdout;
    if (!out) {
        fprintf(stderr, "genlog: %s: %s\n", opt.out, strerror(errno));
        return 1;
    }
    setvbuf(out, NULL, _IOFBF, 1 << 20);
    rng_state = opt.seed * 0xD1342543DE82EF95ull + 1;
    make_domains();
    per_domain = calloc(opt.domains, sizeof *per_domain);

    u64 now = opt.start * SEC + 10 * SEC;
    while (truth.bytes < opt.size) {
        /* Quiet at night, twice the mean in the early afternoon. */
        double day = sin(6.283185307179586 * ((double)(now / SEC % 86400) / 86400 - 0.3));
        now += (u64)(exponential(1e6 / (opt.rate * (1 + 0.8 * day))));
        /* A session may have lines up to 8 s before its own time (postscreen). */
        while (heap_len && heap[0]->t + 8 * SEC < now && truth.bytes < opt.size)
            write_event(pop());
        host = below(opt.hosts);
        double pick = unit() * 100;
        size_t k = 0;
        while (k + 1 < COUNT(mix) && (pick -= mix[k].share) >= 0)
            k++;
        mix[k].build(now);
    }
    while (heap_len && !opt.cut)
        write_event(pop());
    if (fflush(out) || ferror(out)) {
        fprintf(stderr, "genlog: write: %s\n", strerror(errno));
        return 1;
    }
    if (opt.truth) {
        FILE *f = fopen(opt.truth, "w");
        if (!f) {
            fprintf(stderr, "genlog: %s: %s\n", opt.truth, strerror(errno));
            return 1;
        }
        write_truth(f);
        fclose(f);
    }
    return 0;
}
