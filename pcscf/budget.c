/* pcscf/budget.c - see budget.h. */
#include "common/log/log.h"
#include "common/metrics/metrics.h"
#include "pcscf/budget.h"

#define HEADER_BYTES 16384u
#define BODY_BYTES 8192u			/* what no row names, unknown methods too */

static METRIC_DEF(m_over, "cscf_pcscf_over_budget_total", METRIC_COUNTER,
		  "Messages of phones that are larger than their method's budget (access.budgets).", "method", "part");

/* Descriptions, with the location of an emergency caller beside; documents of presence and conferences; the rest is short. */
static const struct { enum sip_method method; uint32_t body; } defaults[] = {
	{ SIP_INVITE, 16384 }, { SIP_ACK, 16384 }, { SIP_PRACK, 16384 }, { SIP_UPDATE, 16384 }, { SIP_MESSAGE, 16384 }, { SIP_NOTIFY, 32768 },
	{ SIP_PUBLISH, 32768 }, { SIP_SUBSCRIBE, 16384 }, { SIP_REGISTER, 4096 }, { SIP_BYE, 4096 }, { SIP_CANCEL, 4096 }, { SIP_OPTIONS, 4096 },
};

/* "*": what no other row names.  -1: no such method. */
static int method_of(struct str name)
{
	enum sip_method m = str_eq_c(name, "*") ? SIP_UNKNOWN_METHOD : sip_method_from_str(name);

	return m == SIP_UNKNOWN_METHOD && !str_eq_c(name, "*") ? -1 : (int)m;
}

void budget_check_config(const struct cfg_node *r, struct buf *errors)
{
	for (size_t i = 0; i < cfg_list_len(r, "access.budgets"); i++) {
		struct str name = cfg_str(cfg_list_at(r, "access.budgets", i), "method");

		if (method_of(name) < 0)
			cfg_error(r, "access.budgets", errors, "access.budgets: %.*s is no method that has a budget of its own (\"*\": the others)",
				  STR_ARG(name));
	}
}

void budget_read(struct budgets *b, const struct cfg_node *r)
{
	for (unsigned i = 0; i < SIP_N_METHODS; i++) {
		b->header_bytes[i] = HEADER_BYTES;
		b->body_bytes[i] = BODY_BYTES;
	}
	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
		b->body_bytes[defaults[i].method] = defaults[i].body;
	for (size_t i = 0; i < cfg_list_len(r, "access.budgets"); i++) {
		const struct cfg_node *row = cfg_list_at(r, "access.budgets", i);
		int m = method_of(cfg_str(row, "method"));

		if (m < 0)
			continue;
		if (cfg_has(row, "header_bytes"))
			b->header_bytes[m] = (uint32_t)cfg_int(row, "header_bytes");
		if (cfg_has(row, "body_bytes"))
			b->body_bytes[m] = (uint32_t)cfg_int(row, "body_bytes");
	}
}

void budget_init(void)
{
	metrics_register(&m_over);
}

static bool over(const struct sip_msg *m, const char *part, size_t bytes, uint32_t budget)
{
	if (bytes <= budget)
		return false;
	metric_add(&m_over, sip_method_name(m->method), part, 1);
	log_info(LOG_SEC, "more than the budget of its method", LOG_C("method", sip_method_name(m->method)), LOG_C("part", part),
		 LOG_U("bytes", bytes), LOG_U("budget", budget), LOG_S("call_id", m->call_id));
	return true;
}

unsigned budget_of_request(const struct budgets *b, const struct sip_msg *m)
{
	if (over(m, "body", m->body.l, b->body_bytes[m->method]))
		return 413;
	return over(m, "header", m->raw.l - m->body.l, b->header_bytes[m->method]) ? 513 : 0;
}

void budget_of_response(const struct budgets *b, const struct sip_msg *m)
{
	if (!over(m, "response body", m->body.l, b->body_bytes[m->method]))
		(void)over(m, "response header", m->raw.l - m->body.l, b->header_bytes[m->method]);
}
