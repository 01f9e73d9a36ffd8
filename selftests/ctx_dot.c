// SPDX-License-Identifier: GPL-2.0-only
/*
 * What graphviz makes of ctx tree --dot.
 */
#include "ctx_command.h"

FIXTURE(dot) {
	int dev;
};

FIXTURE_SETUP(dot)
{
	forget_variables();
	/* It writes down what plugins there are, where that was not done yet. */
	if (system("dot -c && dot -V 2>&1 | grep -q graphviz"))
		SKIP(return, "there is no dot");
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
}

FIXTURE_TEARDOWN(dot)
{
	close(self->dev);
}

/* What dot has laid out: a line for each node and each edge. It says nothing on stderr. */
#define drawn(...) ({							\
	struct tool __ctx, __dot = {};					\
									\
	tool_run(&__ctx, "tree", "--dot", ##__VA_ARGS__);		\
	EXPECT_EQ(0, __ctx.status);					\
	check_text("", __ctx.err);					\
	layout(&__dot, __ctx.out);					\
	EXPECT_EQ(0, __dot.status);					\
	check_text("", __dot.err);					\
	tool_free(&__ctx);						\
	__dot.out;							\
})

/* Runs dot with the graph as its input. */
static void layout(struct tool *dot, const char *graph)
{
	int in = memfd_create("in", MFD_CLOEXEC);

	if (write(in, graph, strlen(graph)) != (ssize_t)strlen(graph))
		return;
	lseek(in, 0, SEEK_SET);
	dot->out_fd = memfd_create("out", MFD_CLOEXEC);
	dot->err_fd = memfd_create("err", MFD_CLOEXEC);
	dot->pid = ctx_fork();
	if (!dot->pid) {
		dup2(in, 0);
		dup2(dot->out_fd, 1);
		dup2(dot->err_fd, 2);
		execlp("dot", "dot", "-Tplain", NULL);
		_exit(127);
	}
	close(in);
	tool_end(dot);
}

TEST_F(dot, nothing_is_a_graph)
{
	char *plain = drawn();

	EXPECT_EQ(0, count(plain, "\nnode "));
	EXPECT_EQ(0, count(plain, "\nedge "));
	EXPECT_EQ(1, count(plain, "\nstop\n"));
}

TEST_F(dot, it_has_a_node_for_each_context_and_an_edge_for_each_parent)
{
	int a = new(self->dev, "a"), b = new(a, "b"), c = new(b, "c"), other = new(self->dev, "o");
	int both = merged(c, (int []){ a, other }, 2);
	char *plain;

	ASSERT_LE(0, both);
	ctx_cancel(b, EIO, "\"]; }");
	plain = drawn();
	EXPECT_EQ(5, count(plain, "\nnode ")) TH_LOG("%s", plain);
	EXPECT_EQ(5, count(plain, "\nedge "));
	EXPECT_EQ(2, count(plain, " dashed "));
	check_has(plain, format("\nedge %llu %llu ", ctx_id(a), ctx_id(b)));
	check_has(plain, format("\nedge %llu %llu ", ctx_id(b), ctx_id(c)));
	check_has(plain, format("\nedge %llu %llu ", ctx_id(c), ctx_id(both)));
	check_has(plain, format("\nedge %llu %llu ", ctx_id(other), ctx_id(both)));
}

TEST_F(dot, parent_that_is_not_shown_is_a_node_with_its_id)
{
	int a = new(self->dev, "a"), b = new(a, "b");
	char *plain = drawn(by_id(b));

	EXPECT_EQ(2, count(plain, "\nnode ")) TH_LOG("%s", plain);
	EXPECT_EQ(1, count(plain, "\nedge "));
	check_has(plain, format("\nedge %llu %llu ", ctx_id(a), ctx_id(b)));
}

/* Each as its label has it in dot's own quotes, in which a backslash is one. */
TEST_F(dot, no_name_ends_its_label)
{
	static const struct {
		const char *name;
		const char *label;
	} names[] = {
		{ "\"];", "\\\\\\\"];" },
		{ "\\", "\\\\\\\\" },
		{ "a\nb", "a\\\\012b" },
		{ "\\N\\G", "\\\\\\\\N\\\\\\\\G" },
		{ "<b>&amp;", "<b>&amp;" },
		{ "\xff\xfe", "\\\\377\\\\376" },
	};
	unsigned int i;
	char *plain;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++)
		ASSERT_LE(0, new(self->dev, names[i].name));
	plain = drawn();
	EXPECT_EQ(i, count(plain, "\nnode ")) TH_LOG("%s", plain);
	EXPECT_EQ(0, count(plain, "\nedge "));
	while (i--)
		check_has(plain, names[i].label);
}

TEST_F(dot, texts_of_the_locale_are_taken)
{
	setenv("LC_ALL", "C.UTF-8", 1);
	ASSERT_LE(0, new(self->dev, "\u8cc7\u6599 \"\u00fc\""));
	EXPECT_EQ(1, count(drawn(), "\nnode "));
}

TEST_HARNESS_MAIN
