/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The files in which the tools of AWS keep keys and regions:
 *
 *     credentials   AWS_SHARED_CREDENTIALS_FILE or ~/.aws/credentials, [NAME]
 *     config        AWS_CONFIG_FILE or ~/.aws/config, [profile NAME]
 *
 * NAME is AWS_PROFILE or "default".
 */

#include "io/err.h"

/* The variable, or NULL where it is not set or empty. */
const char *object_env(const char *name);

/* One setting of the profile, from the credentials or else the config; *ret is
   to be freed, NULL: not set there.  <0: a file cannot be read, or a profile
   was asked for that no file has. */
int object_profile_get(char **ret, const char *setting, struct err *err);
