/* main.c - smtptrail-milter: process life. */
#include <stdio.h>

int main(void)
{
	printf("smtptrail-milter %s\n", PACKAGE_VERSION);
	return 0;
}
