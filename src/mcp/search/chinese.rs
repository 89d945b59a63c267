//! The English of common Chinese words, so that a Chinese request finds a tool described in English.

use std::collections::HashMap;
use std::sync::LazyLock;

/// Words and their English, several to a line where they mean the same.
const WORDS: &[(&str, &str)] = &[
    // Verbs.
    ("创建 新建 建立 添加 新增 增加 建个 建一个 加一个 加上 生成", "create"),
    ("删除 移除 删掉 去掉 清除 去除", "delete"),
    ("清空 清理", "clear delete"),
    ("列出 列举 显示 展示 有哪些 哪些 所有 全部", "list"),
    ("获取 得到 取得 拿到", "get"),
    ("读取 阅读 读一下 读出", "read"),
    ("查看 看看 看一下 看下", "view get"),
    ("打开", "open"),
    ("更新 修改 编辑 更改 改成 改为 改一下 变更", "update"),
    ("替换", "replace update"),
    ("搜索 查找 搜一下 寻找 检索 找到 找出 找一下 搜", "search"),
    ("查询", "query"),
    ("运行 执行 跑一下", "run"),
    ("启动 开始 开启", "start"),
    ("停止 终止 结束 杀掉", "stop"),
    ("取消", "cancel"),
    ("关闭 关掉", "close"),
    ("发送 发一条 发给 发消息 发个", "send"),
    ("发布 发表", "publish"),
    ("提交", "commit submit"),
    ("回复 答复", "reply"),
    ("复制 拷贝", "copy"),
    ("克隆", "clone"),
    ("移动 挪到", "move"),
    ("重命名 改名", "rename"),
    ("合并", "merge"),
    ("批准 同意 通过审批", "approve"),
    ("拒绝 驳回", "reject"),
    ("比较 对比 差异 区别", "compare diff"),
    ("上传", "upload"),
    ("下载", "download"),
    ("保存", "save"),
    ("导出", "export"),
    ("导入", "import"),
    ("点击 点一下 单击", "click"),
    ("输入 填写 填入 打字", "type fill"),
    ("选择 选中", "select"),
    ("滚动", "scroll"),
    ("拖动 拖拽 拖放", "drag"),
    ("悬停", "hover"),
    ("访问 跳转 前往", "navigate"),
    ("返回 后退", "back"),
    ("前进", "forward"),
    ("等待 等到", "wait"),
    ("撤销 撤回 回滚 恢复", "revert restore"),
    ("重试 重跑 重新运行", "retry rerun"),
    ("重启", "restart"),
    ("切换", "switch checkout"),
    ("转换 换算", "convert"),
    ("翻译", "translate"),
    ("提取 抽取", "extract"),
    ("抓取 爬取", "scrape crawl"),
    ("总结 摘要 概括", "summary"),
    ("分析", "analyze"),
    ("统计 数量 多少", "count"),
    ("扩容 缩容 伸缩", "scale"),
    ("调整", "resize update"),
    ("部署", "deploy deployment"),
    ("订阅", "subscription subscribe"),
    ("分配 指派", "assign"),
    ("邀请", "invite"),
    ("验证 校验 检查", "check verify"),
    ("思考 推理", "think"),
    ("记住 记下", "remember memory save"),
    ("截图 截屏 快照", "screenshot"),
    // Nouns.
    ("文件", "file"),
    ("目录 文件夹", "directory"),
    ("仓库 代码库", "repository"),
    ("分支", "branch"),
    ("代码", "code"),
    ("历史 历史记录 提交记录", "history log"),
    ("拉取请求 合并请求", "pull merge request"),
    ("请求", "request"),
    ("问题 缺陷 工单 议题", "issue"),
    ("评论 留言 备注", "comment"),
    ("标签页 选项卡", "tab"),
    ("标签", "label tag"),
    ("里程碑", "milestone"),
    ("版本", "version release"),
    ("流水线", "pipeline"),
    ("任务", "task job"),
    ("项目", "project"),
    ("用户 成员", "user"),
    ("个人资料 资料", "profile"),
    ("团队 小组", "team group"),
    ("消息", "message"),
    ("频道", "channel"),
    ("表情", "emoji reaction"),
    ("网页 页面", "page web"),
    ("网站 网址", "website url"),
    ("网上 互联网 上网 联网", "web internet"),
    ("链接", "link url"),
    ("浏览器", "browser"),
    ("按钮", "button click"),
    ("表单", "form"),
    ("键盘 按键", "key press keyboard"),
    ("弹窗 对话框", "dialog"),
    ("控制台", "console"),
    ("网络", "network"),
    ("窗口", "window"),
    ("脚本", "script"),
    ("图片 图像 照片", "image"),
    ("视频", "video"),
    ("文档", "document documentation"),
    ("笔记", "note page"),
    ("内容", "content"),
    ("标题", "title"),
    ("数据库", "database"),
    ("数据", "data"),
    ("数据表 表格 表结构", "table"),
    ("记录", "record"),
    ("日志", "log"),
    ("错误 报错 异常", "error"),
    ("状态 进度", "status"),
    ("性能", "performance"),
    ("内存", "memory"),
    ("设置 配置", "configuration set"),
    ("环境变量", "environment variable"),
    ("变量", "variable"),
    ("权限", "permission"),
    ("容器", "container pod"),
    ("副本", "replica"),
    ("命令", "command"),
    ("会话", "session"),
    ("邮件 邮箱", "email"),
    ("日历 日程", "calendar event"),
    ("论文 文献", "paper research"),
    ("接口", "api"),
    ("冲突", "conflict"),
    ("组织 公司", "organization"),
    ("应用 程序", "app application"),
    ("备份", "backup"),
    ("缓存", "cache"),
    ("测试", "test"),
    ("构建", "build"),
    ("集群", "cluster kubernetes"),
    ("节点", "node"),
    ("服务器", "server"),
    ("服务", "service"),
    ("实体", "entity"),
    ("关系", "relation"),
    ("知识图谱", "knowledge graph"),
    ("客户 顾客", "customer"),
    ("产品 商品", "product"),
    ("价格 定价", "price"),
    ("支付 付款", "payment"),
    ("发票 账单", "invoice"),
    ("退款 退钱", "refund"),
    ("优惠券 折扣", "coupon"),
    ("余额", "balance"),
    ("现在 当前", "current"),
    ("时间 几点", "time"),
    ("日期", "date"),
    ("时区", "timezone"),
    ("天气", "weather"),
    ("地图", "map"),
    ("地点 位置 附近 餐馆 饭店", "place location nearby"),
    ("地址", "address"),
    ("坐标 经纬度", "coordinate geocode latitude longitude"),
    ("路线 怎么走 导航", "directions route"),
    ("距离 多远", "distance"),
    ("海拔", "elevation"),
    ("新闻", "news"),
    ("最近 最新", "recent latest"),
    ("大小", "size"),
    ("信息 详情 详细信息", "info details"),
    ("树 结构", "tree structure"),
];

/// Characters of the longest word.
const LONGEST: usize = 5;

static ENGLISH: LazyLock<HashMap<&str, &str>> = LazyLock::new(|| {
    let each = |&(words, english): &(&'static str, &'static str)| {
        words.split(' ').map(move |word| (word, english))
    };
    WORDS.iter().flat_map(each).collect()
});

/// The English of the words in a run of Chinese, in their order: at each place the longest word that
/// begins there.
pub fn words_in(run: &str) -> impl Iterator<Item = &'static str> {
    let mut rest = run;
    std::iter::from_fn(move || {
        while let Some(first) = rest.chars().next() {
            let ends = rest.char_indices().map(|(at, ch)| at + ch.len_utf8()).take(LONGEST);
            let longest =
                ends.filter_map(|end| Some((end, *ENGLISH.get(rest.get(..end)?)?))).last();
            let (length, english) =
                longest.map_or((first.len_utf8(), None), |(end, english)| (end, Some(english)));
            rest = rest.get(length..).unwrap_or_default();
            if english.is_some() {
                return english;
            }
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_word_counts() {
        assert_eq!(words_in("请删除标签页").collect::<Vec<_>>(), ["delete", "tab"]);
        assert_eq!(words_in("标签").collect::<Vec<_>>(), ["label tag"]);
        assert_eq!(words_in("你好").count(), 0);
    }

    #[test]
    fn no_word_is_longer_than_is_looked_for_or_listed_twice() {
        let mut seen = std::collections::HashSet::new();
        for word in WORDS.iter().flat_map(|(words, _)| words.split(' ')) {
            assert!(word.chars().count() <= LONGEST, "{word}");
            assert!(seen.insert(word), "{word}");
        }
    }
}
