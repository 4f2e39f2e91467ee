/* pcscf/doctor.c - `pcscfd --doctor`: what IPsec with phones needs (TS 33.203 §7.1).  Row Y2. */
#include <errno.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include "pcscf/pcscf.h"

static bool kernel_has(const char *algorithm)
{
	FILE *f = fopen("/proc/crypto", "re");
	bool found = false;
	char line[256], name[128];

	while (f && !found && fgets(line, sizeof(line), f))
		found = sscanf(line, "name : %127s", name) == 1 && strcmp(name, algorithm) == 0;
	if (f)
		fclose(f);
	return found;
}

static void check_algorithms(struct doctor *d)
{
	static const char *const needed[] = { "hmac(sha1)", "cbc(aes)" };

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (!kernel_has(needed[i]))
			doctor_doubt(d, "modprobe -a esp4 esp6 authenc sha1_generic aes_generic cbc hmac (the kernel may load them by itself)",
				     "the kernel does not list %s", needed[i]);
}

void pcscf_doctor(struct doctor *d, const struct cfg *c)
{
	int fd;

	if (!cfg_has(cfg_root(c), "access.ipsec")) {
		doctor_doubt(d, "access.ipsec in the configuration, where phones have IPsec", "phones come in clear");
		return;
	}
	if (doctor_has_capability(CAP_NET_ADMIN))
		doctor_good(d, "CAP_NET_ADMIN is there, for security associations");
	else
		doctor_bad(d, "AmbientCapabilities=CAP_NET_ADMIN in the unit; docker run --cap-add NET_ADMIN; or start it as root with `user`",
			   "CAP_NET_ADMIN is missing: security associations cannot be made");
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_XFRM);
	if (fd < 0)
		doctor_bad(d, "modprobe xfrm_user; a kernel with CONFIG_XFRM_USER", "the kernel has no interface for IPsec: %s", strerror(errno));
	else
		doctor_good(d, "the kernel has an interface for IPsec (XFRM)");
	if (fd >= 0)
		close(fd);
	check_algorithms(d);
}
