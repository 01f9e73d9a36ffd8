// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ctx command, all but its run: what each subcommand and option does, and
 * what it says where it cannot.
 */
#include "ctx_tool.h"

TEST(says_its_version)
{
	struct tool tool;

	tool_run(&tool, "--version");
	EXPECT_EQ(0, tool.status);
	EXPECT_EQ(0, strncmp(tool.out, "ctx ", 4));
	EXPECT_EQ('\n', tool.out[strlen(tool.out) - 1]);
	check_text("", tool.err);
	tool_free(&tool);
}

TEST(refuses_an_unknown_command)
{
	check_tool(2, "", "ctx: there is no command 'dance'; try 'ctx --help'\n", "dance");
}

TEST_HARNESS_MAIN
