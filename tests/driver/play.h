/* play.h - plays a dialogue to a milter and checks the milter's replies. */
#ifndef SMTPTRAIL_PLAY_H
#define SMTPTRAIL_PLAY_H

/* Returns the exit status: 0 when every reply was the expected one. */
int play(const char *file, const char *socket, int timeout_ms);

#endif
