/* common/diameter/tables.c - every command, by application. */
#include "common/diameter/tables.h"

const struct dia_command dia_commands[DIA_N_COMMANDS] = {
	[CX_UA] = { 300, DIA_CX, "UAR", "UAA", cx_uar_rows, cx_uaa_rows, sizeof(struct cx_uar), sizeof(struct cx_uaa) },
	[CX_SA] = { 301, DIA_CX, "SAR", "SAA", cx_sar_rows, cx_saa_rows, sizeof(struct cx_sar), sizeof(struct cx_saa) },
	[CX_LI] = { 302, DIA_CX, "LIR", "LIA", cx_lir_rows, cx_lia_rows, sizeof(struct cx_lir), sizeof(struct cx_lia) },
	[CX_MA] = { 303, DIA_CX, "MAR", "MAA", cx_mar_rows, cx_maa_rows, sizeof(struct cx_mar), sizeof(struct cx_maa) },
	[CX_RT] = { 304, DIA_CX, "RTR", "RTA", cx_rtr_rows, cx_rta_rows, sizeof(struct cx_rtr), sizeof(struct cx_rta) },
	[CX_PP] = { 305, DIA_CX, "PPR", "PPA", cx_ppr_rows, cx_ppa_rows, sizeof(struct cx_ppr), sizeof(struct cx_ppa) },
	[RX_AA] = { 265, DIA_RX, "AAR", "AAA", rx_aar_rows, rx_aaa_rows, sizeof(struct rx_aar), sizeof(struct rx_aaa) },
	[RX_ST] = { 275, DIA_RX, "STR", "STA", rx_str_rows, rx_sta_rows, sizeof(struct rx_str), sizeof(struct rx_sta) },
	[RX_AS] = { 274, DIA_RX, "ASR", "ASA", rx_asr_rows, rx_asa_rows, sizeof(struct rx_asr), sizeof(struct rx_asa) },
	[RX_RA] = { 258, DIA_RX, "RAR", "RAA", rx_rar_rows, rx_raa_rows, sizeof(struct rx_rar), sizeof(struct rx_raa) },
};

struct str dia_request_text(enum dia_command_id c, const void *req, uint32_t code)
{
	for (const struct dia_row *r = dia_commands[c].request; r->code; r++)
		if (r->code == code && r->vendor == DIA_BASE && r->kind == DIA_K_STR)
			return *(const struct str *)(const void *)((const char *)req + r->off);
	return STR_NONE;
}

void dia_request_set_text(enum dia_command_id c, void *req, uint32_t code, struct str v)
{
	for (const struct dia_row *r = dia_commands[c].request; r->code; r++)
		if (r->code == code && r->vendor == DIA_BASE && r->kind == DIA_K_STR)
			*(struct str *)(void *)((char *)req + r->off) = v;
}

const char *dia_command_result_name(enum dia_command_id c, const struct dia_result *r)
{
	return dia_commands[c].application == DIA_RX ? rx_result_name(r->code, r->experimental)
						      : cx_result_name(r->code, r->experimental);
}
